/** Orders to the leader, and its answers. Pure JSON data, since a follower forwards it. */
import type { Command, Keyed } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { Administered, Administration, Admitted } from "../Raft/node/Administration.ts"
import type { Answered } from "../Raft/node/Answered.ts"

/**
 * `Announce` tells the leader which versions of models this node's code has, and among them the newest format that its
 * release knows (Format.ts), while some are not active.
 */
export interface Announce {
  readonly _tag: "Announce"
  readonly nodeId: NodeId
  readonly models: Readonly<Record<string, number>>
}

/**
 * Has the leader wait for these members no longer, for a minute, before it makes new versions and formats active. A member
 * with the former code then refuses what it cannot read, and one with a former release stops.
 */
export interface ActivateWithout {
  readonly _tag: "ActivateWithout"
  readonly admitted: Admitted
  readonly without: ReadonlyArray<NodeId>
}

/** An order of an operator. */
export type Administer = Administration | ActivateWithout

/** The result of an operator's order. */
export type AdministerResult = Administered | { readonly _tag: "Refused"; readonly reason: "nothingPending" }

/** `Inquire` asks for the status of a key, linearizably. */
export type Order =
  | { readonly _tag: "Decide"; readonly command: Command }
  | Announce
  | { readonly _tag: "Inquire"; readonly keyed: Keyed }
  | Administer

/** The answer to an order; a command is answered with its result. */
export type OrderAnswer =
  | Answered<CommandResult>
  | { readonly _tag: "Inquired"; readonly index: number; readonly status: KeyStatus }
  | { readonly _tag: "Administered"; readonly administered: AdministerResult }
  | { readonly _tag: "Announced" }

/** Orders to the leader, and its answers. Pure JSON data, since a follower forwards it. */
import type { Command, Keyed } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { Administered, Administration } from "../Raft/node/Administration.ts"
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

/** `Inquire` asks for the status of a key, linearizably. */
export type Order =
  | { readonly _tag: "Decide"; readonly command: Command }
  | Announce
  | { readonly _tag: "Inquire"; readonly keyed: Keyed }
  | Administration

/** The answer to an order; a command is answered with its result. */
export type OrderAnswer =
  | Answered<CommandResult>
  | { readonly _tag: "Inquired"; readonly index: number; readonly status: KeyStatus }
  | { readonly _tag: "Administered"; readonly administered: Administered }
  | { readonly _tag: "Announced" }

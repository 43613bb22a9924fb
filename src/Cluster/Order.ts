/** Orders to the leader, and its answers. Pure JSON data, since a follower forwards it. */
import type { Command, Keyed } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { Rejection } from "../Machine/Rejection.ts"
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

/** Tells the leader through which erasure a member has carried out all. */
export interface AnnounceErased {
  readonly _tag: "AnnounceErased"
  readonly nodeId: NodeId
  readonly throughIndex: number
}

/** Erases a record (Machine/decideErasure.ts). */
export interface EraseRecord {
  readonly _tag: "EraseRecord"
  readonly admitted: Admitted
  readonly model: string
  readonly id: string
}

/** Through which erasure a member has carried out all. */
export interface MemberErased {
  readonly id: NodeId
  readonly throughIndex: number
}

/** Asks through which erasure each member has carried out all. */
export interface AskErased {
  readonly _tag: "AskErased"
  readonly admitted: Admitted
}

/** An order of an operator. */
export type Administer = Administration | ActivateWithout | EraseRecord | AskErased

/** The result of an operator's order. */
export type AdministerResult =
  | Administered
  | { readonly _tag: "Refused"; readonly reason: "nothingPending" }
  /** `index` is that of the entry that erased the record. */
  | { readonly _tag: "Erased"; readonly index: number }
  | { readonly _tag: "NotErased"; readonly rejection: Rejection }
  | { readonly _tag: "ErasedThrough"; readonly members: ReadonlyArray<MemberErased> }

/** `Inquire` asks for the status of a key, linearizably. */
export type Order =
  | { readonly _tag: "Decide"; readonly command: Command }
  | Announce
  | AnnounceErased
  | { readonly _tag: "Inquire"; readonly keyed: Keyed }
  | Administer

/** The answer to an order; a command is answered with its result. */
export type OrderAnswer =
  | Answered<CommandResult>
  | { readonly _tag: "Inquired"; readonly index: number; readonly status: KeyStatus }
  | { readonly _tag: "Administered"; readonly administered: AdministerResult }
  | { readonly _tag: "Announced" }

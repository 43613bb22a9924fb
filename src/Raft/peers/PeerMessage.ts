/** The messages between two nodes' shells: those of the core, and those to forward, form and compare. Pure data. */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { Message } from "../core/Message.ts"
import type { StateReport } from "../core/StateComparison.ts"

/**
 * A follower hands orders of its clients to the leader, those of one turn together: each as one of the `requestIds` of its
 * `life`. The body has them in the same order. Only the shell reads it.
 */
export interface Forward {
  readonly _tag: "Forward"
  readonly life: number
  readonly requestIds: ReadonlyArray<number>
  readonly body: Uint8Array
}

/** The leader's answers to requests of this `life`, in the order of `requestIds`. */
export interface ForwardReply {
  readonly _tag: "ForwardReply"
  readonly life: number
  readonly requestIds: ReadonlyArray<number>
  readonly body: Uint8Array
}

/** The node with the lowest id tells an unformed node about the cluster that it made, and its first entry (C16). */
export interface Form {
  readonly _tag: "Form"
  readonly clusterId: string
  readonly entry: LogEntry
}

/** The answer to {@link Form}: whether the node holds exactly that entry on its disk. */
export interface FormReply {
  readonly _tag: "FormReply"
  readonly clusterId: string
  readonly adopted: boolean
}

/** The committed configuration at this index does not name the receiver's data directory. */
export interface NotAMember {
  readonly _tag: "NotAMember"
  readonly configurationIndex: number
}

/** A node that does not trust its own state asks its leader for a snapshot at this index or above. */
export interface SnapshotWanted {
  readonly _tag: "SnapshotWanted"
  readonly atLeastIndex: number
}

/**
 * A node whose history has a gap asks for committed entries `fromIndex`..`toIndex`: as many as fit in `maxBytes` of payload,
 * or with 0 only for what the receiver holds. Since protocol 5.
 */
export interface HistoryWanted {
  readonly _tag: "HistoryWanted"
  /** The asker's number of this question. */
  readonly requestId: number
  readonly fromIndex: number
  readonly toIndex: number
  readonly maxBytes: number
}

/**
 * The answer to {@link HistoryWanted}: the newest run of entries among the wanted ones that the sender holds, and entries
 * from `fromIndex` on, if it holds that one.
 */
export interface HistoryGiven {
  readonly _tag: "HistoryGiven"
  readonly requestId: number
  /** Both are 0 if the sender holds none. */
  readonly heldFromIndex: number
  readonly heldToIndex: number
  /** Entries as a block of a history file has them, with its checksums (EventStore/FORMAT.md); empty if there are none. */
  readonly block: Uint8Array
}

/** Any message between two nodes. */
export type PeerMessage =
  | Message
  | Forward
  | ForwardReply
  | Form
  | FormReply
  | NotAMember
  | StateReport
  | SnapshotWanted
  | HistoryWanted
  | HistoryGiven

/** The connection that a message takes: `control` is for urgent ones, which never queue behind megabytes (D8). */
export type Lane = "control" | "bulk"

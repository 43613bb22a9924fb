/** What one node's shell sends to another's: the core's messages, and those by which nodes forward, form and compare. Pure data. */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { Message } from "../core/Message.ts"
import type { StateReport } from "../core/StateComparison.ts"

/** A follower hands a client's command to the leader, as `requestId` of its `life`; the shell knows what the body holds. */
export interface Forward {
  readonly _tag: "Forward"
  readonly life: number
  readonly requestId: number
  readonly body: Uint8Array
}

/** The leader's answer to the {@link Forward} of the same `life` and `requestId`. */
export interface ForwardReply {
  readonly _tag: "ForwardReply"
  readonly life: number
  readonly requestId: number
  readonly body: Uint8Array
}

/** The lowest id tells an unformed node the cluster that it minted, and its first entry (C16). */
export interface Form {
  readonly _tag: "Form"
  readonly clusterId: string
  readonly entry: LogEntry
}

/** The node holds exactly that entry, durably, or it says that it does not. */
export interface FormReply {
  readonly _tag: "FormReply"
  readonly clusterId: string
  readonly adopted: boolean
}

/** The receiver's data directory is not named by the configuration at this index, which the sender knows to be committed. */
export interface NotAMember {
  readonly _tag: "NotAMember"
  readonly configurationIndex: number
}

/** A node whose own state is not to be believed asks its leader for a snapshot, at this index or above. */
export interface SnapshotWanted {
  readonly _tag: "SnapshotWanted"
  readonly atLeastIndex: number
}

export type PeerMessage =
  | Message
  | Forward
  | ForwardReply
  | Form
  | FormReply
  | NotAMember
  | StateReport
  | SnapshotWanted

/** Which of a pair's two sockets a message takes, so that nothing urgent queues behind megabytes (D8). */
export type Lane = "control" | "bulk"

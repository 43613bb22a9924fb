/**
 * A leader's knowledge of one peer's log, and how much it may send to that peer now. Pure, owned, mutable. Raft §5.3,
 * diss. 10.2.1.
 */
import { invariant } from "../../Invariant.ts"
import * as CatchUp from "./CatchUp.ts"
import type { RaftConfig } from "./RaftConfig.ts"
import type { PeerRepair } from "./Repairing.ts"

/**
 * In probe mode the leader does not know where the peer's log ends, and looks for the end with one message at a time.
 * In replicate mode it knows the end, and `nextIndex` runs ahead of the acknowledgements.
 */
export type Mode =
  | {
      readonly _tag: "Probe"
      /** When the current probe left; undefined if there is none, and the next one may leave at once. */
      sent: Sent | undefined
      /**
       * Whether the probe carries no entries. Only the first probe of an index carries some: repetitions must not flood
       * a slow peer.
       */
      readonly empty: boolean
    }
  | { readonly _tag: "Replicate" }
  /** The peer's next entries are compacted away: the shell sends it a snapshot, and nothing else is sent. */
  | { readonly _tag: "Snapshot" }

/** When a message left, and after which numbered round of beats. */
export interface Sent {
  readonly atMs: number
  readonly readNumber: number
}

/** One peer, as its leader sees it. Times are those of `nowMs`, unless a field says otherwise. */
export interface Progress {
  matchIndex: number
  nextIndex: number
  mode: Mode
  /** Unacknowledged messages, oldest first. */
  inflight: Array<{ readonly lastIndex: number; readonly bytes: number }>
  inflightBytes: number
  /** When an acknowledgement last moved `matchIndex`, or the first message in flight left. */
  ackedMs: number
  /** When the peer last held every committed entry, or `matchIndex` last moved. */
  inStepMs: number
  /** When a message of the leader's term last came from the peer: check-quorum counts it (diss. 6.2). */
  heardMs: number
  /** The same, but undefined until a message came: status shows it. */
  lastContactMs: number | undefined
  /** The real time from which the peer keeps its promise to elect no other leader (diss. 6.4.1). */
  promisedMs: number
  /** The greatest commit index that was sent to this peer. */
  commitSent: number
  /** The first index of the log read that is under way for this peer. */
  readLogFromIndex: number | undefined
  /** The time before which the log is not read again for this peer, since the last read failed. */
  readLogDueMs: number
  readonly catchUp: CatchUp.CatchUp
  /**
   * The time until which no more entries are sent to a peer that is far behind, and how far behind it was then
   * (Pacing.ts).
   */
  pacedUntilMs: number
  pacedLagCount: number
  /** The index of the configuration that removed this peer, and the time until which the leader still sends to it. */
  leaving: { readonly index: number; readonly untilMs: number } | undefined
  /**
   * Present while the peer repairs its log. It then counts as unheard, and for no quorum: `matchIndex` says only how far
   * the transfer is (C26).
   */
  repair: PeerRepair | undefined
}

/** The progress of a peer about which nothing is known. The leader looks for its end from the end of the log. */
export const make = (options: { readonly lastIndex: number; readonly nowMs: number }): Progress => ({
  matchIndex: 0,
  nextIndex: options.lastIndex + 1,
  mode: { _tag: "Probe", sent: undefined, empty: false },
  inflight: [],
  inflightBytes: 0,
  ackedMs: options.nowMs,
  inStepMs: options.nowMs,
  heardMs: options.nowMs,
  lastContactMs: undefined,
  promisedMs: Number.NEGATIVE_INFINITY,
  commitSent: 0,
  readLogFromIndex: undefined,
  readLogDueMs: 0,
  catchUp: CatchUp.begin(options),
  pacedUntilMs: 0,
  pacedLagCount: Number.POSITIVE_INFINITY,
  leaving: undefined,
  repair: undefined
})

/** The end of the peer's durable log, as far as it counts in quorums. */
export const countedIndex = (progress: Progress | undefined): number =>
  progress === undefined || progress.repair !== undefined ? 0 : progress.matchIndex

/** Whether the peer says anything. A peer that repairs does, and still counts as unheard (Election.isHeard). */
export const isAnswering = (
  { heardMs, repair }: Progress,
  { nowMs, withinMs }: { readonly nowMs: number; readonly withinMs: number }
): boolean => nowMs - Math.max(heardMs, repair?.heardMs ?? Number.NEGATIVE_INFINITY) < withinMs

/**
 * Looks for the peer's end, from `nextIndex` on. During a snapshot it does nothing: the shell will report its end.
 * `sent` counts a probe as under way, so the next one waits as long as a repetition does.
 */
export const toProbe = (
  progress: Progress,
  options: { readonly nextIndex: number; readonly empty: boolean; readonly sent?: Sent }
): void => {
  if (progress.mode._tag === "Snapshot") return
  progress.mode = { _tag: "Probe", sent: options.sent, empty: options.empty }
  progress.nextIndex = Math.max(options.nextIndex, progress.matchIndex + 1)
  progress.inflight = []
  progress.inflightBytes = 0
}

/** Sends nothing but a snapshot from now on. */
export const toSnapshot = (progress: Progress): void => {
  progress.mode = { _tag: "Snapshot" }
  progress.inflight = []
  progress.inflightBytes = 0
}

/** Looks for the peer's end after a snapshot. `sent` is that of {@link toProbe}. */
export const leaveSnapshot = (
  progress: Progress,
  options: { readonly nextIndex: number; readonly sent: Sent | undefined }
): void => {
  progress.mode = { _tag: "Probe", sent: options.sent, empty: true }
  progress.nextIndex = Math.max(options.nextIndex, progress.matchIndex + 1)
}

/** Whether the messages or bytes in flight to the peer have reached their limit. */
export const isFull = (progress: Progress, config: RaftConfig): boolean =>
  progress.inflight.length >= config.inflightMessagesCount || progress.inflightBytes >= config.inflightBytes

/** Notes a message in flight. */
export const sent = (
  progress: Progress,
  message: { readonly lastIndex: number; readonly bytes: number; readonly nowMs: number }
): void => {
  if (progress.inflight.length === 0) progress.ackedMs = message.nowMs
  progress.inflight.push({ lastIndex: message.lastIndex, bytes: message.bytes })
  progress.inflightBytes += message.bytes
  progress.nextIndex = message.lastIndex + 1
}

/**
 * The peer holds the leader's entries through `matchIndex`, durably. The leader's log holds those from `firstIndex` on.
 */
export const matched = (
  progress: Progress,
  ack: { readonly matchIndex: number; readonly firstIndex: number; readonly nowMs: number }
): void => {
  if (ack.matchIndex > progress.matchIndex) {
    progress.matchIndex = ack.matchIndex
    progress.ackedMs = ack.nowMs
    progress.inStepMs = ack.nowMs
  }
  if (progress.mode._tag === "Snapshot" && progress.matchIndex + 1 < ack.firstIndex) return
  // A late acknowledgement may end a probe of a higher index, which nothing would repeat then. So continue from the
  // matched index.
  const isProbing = progress.mode._tag !== "Replicate"
  progress.nextIndex = isProbing ? progress.matchIndex + 1 : Math.max(progress.nextIndex, progress.matchIndex + 1)
  progress.mode = { _tag: "Replicate" }
  while (progress.inflight.length > 0 && progress.inflight[0]!.lastIndex <= progress.matchIndex) {
    progress.inflightBytes -= progress.inflight.shift()!.bytes
  }
  invariant(progress.nextIndex > progress.matchIndex, "nextIndex fell to matchIndex")
}

/** What a leader knows of one peer's log, and how much it may send it now. Pure, owned, mutable. Raft §5.3, diss. 10.2.1. */
import { invariant } from "../../Invariant.ts"
import * as CatchUp from "./CatchUp.ts"
import type { RaftConfig } from "./RaftConfig.ts"

/**
 * In probe mode the peer's end is unknown, and one message at a time looks for it. In replicate mode it is known,
 * and `nextIndex` runs ahead of the acknowledgements.
 */
export type Mode =
  | {
      readonly _tag: "Probe"
      /** When the probe under way left; undefined while none is, and the next one may leave at once. */
      sent: Sent | undefined
      /** Only the first probe of a place carries entries: its repetitions must not flood a slow peer. */
      readonly empty: boolean
    }
  | { readonly _tag: "Replicate" }
  /** What it needs next is compacted away: nothing is sent but a snapshot, by the shell. */
  | { readonly _tag: "Snapshot" }

/** At what time something left, and after which numbered round of beats. */
export interface Sent {
  readonly atMs: number
  readonly readNumber: number
}

export interface Progress {
  matchIndex: number
  nextIndex: number
  mode: Mode
  /** Unacknowledged messages, oldest first. */
  inflight: Array<{ readonly lastIndex: number; readonly bytes: number }>
  inflightBytes: number
  /** When an acknowledgement last moved `matchIndex`, or the first message in flight left. */
  ackedMs: number
  /** When the peer last held all that is committed, or `matchIndex` last moved. */
  inStepMs: number
  /** When anything of the leader's term last came from the peer: check-quorum counts it (diss. 6.2). */
  heardMs: number
  /** The same, but undefined until something came: what status shows. */
  lastContactMs: number | undefined
  /** The real time from which the peer keeps its promise to elect nobody else (diss. 6.4.1). */
  promisedMs: number
  /** The greatest commit index told to this peer. */
  commitSent: number
  /** From where a read of the log was asked for this peer and not answered yet. */
  readLogFromIndex: number | undefined
  /** The log is not read again for this peer before: the last read failed. */
  readLogDueMs: number
  readonly catchUp: CatchUp.CatchUp
  /** Until when no more entries are sent to it while it is far behind, and how far it was then (Pacing.ts). */
  pacedUntilMs: number
  pacedLagCount: number
  /** The index of the configuration that this peer is no member of any more, and how long it may still be told. */
  leaving: { readonly index: number; readonly untilMs: number } | undefined
}

/** Of a peer that nothing is known of: looked for from the end of the log. */
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
  leaving: undefined
})

/**
 * Goes back to looking for the peer's end, at `nextIndex`; unless a snapshot is on its way, of which the shell will tell.
 * `sent` says that a probe counts as under way: the next one then waits as long as a repetition does.
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

export const toSnapshot = (progress: Progress): void => {
  progress.mode = { _tag: "Snapshot" }
  progress.inflight = []
  progress.inflightBytes = 0
}

/** Looks for the peer's end again; `sent` as of {@link toProbe}. */
export const leaveSnapshot = (
  progress: Progress,
  options: { readonly nextIndex: number; readonly sent: Sent | undefined }
): void => {
  progress.mode = { _tag: "Probe", sent: options.sent, empty: true }
  progress.nextIndex = Math.max(options.nextIndex, progress.matchIndex + 1)
}

export const isFull = (progress: Progress, config: RaftConfig): boolean =>
  progress.inflight.length >= config.inflightMessagesCount || progress.inflightBytes >= config.inflightBytes

export const sent = (
  progress: Progress,
  message: { readonly lastIndex: number; readonly bytes: number; readonly nowMs: number }
): void => {
  if (progress.inflight.length === 0) progress.ackedMs = message.nowMs
  progress.inflight.push({ lastIndex: message.lastIndex, bytes: message.bytes })
  progress.inflightBytes += message.bytes
  progress.nextIndex = message.lastIndex + 1
}

/** The peer holds, durably, the leader's entries up to `matchIndex`; those from `firstIndex` on are there to be sent. */
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
  // A late acknowledgement may end a probe further on, which nothing would then repeat: go on from what is known.
  const isProbing = progress.mode._tag !== "Replicate"
  progress.nextIndex = isProbing ? progress.matchIndex + 1 : Math.max(progress.nextIndex, progress.matchIndex + 1)
  progress.mode = { _tag: "Replicate" }
  while (progress.inflight.length > 0 && progress.inflight[0]!.lastIndex <= progress.matchIndex) {
    progress.inflightBytes -= progress.inflight.shift()!.bytes
  }
  invariant(progress.nextIndex > progress.matchIndex, "nextIndex fell to matchIndex")
}

/**
 * Removes all entries through an index from a node's log, even if a peer lacks them, because their data was erased. The log is
 * not rewritten: its segment in use ends, a snapshot is taken that stands for all of it, and compaction removes the
 * segments, whose entries go into the history. Part of the shell. Raft §7.
 */
import { Effect } from "effect"
import type { LogSpace } from "../../EventStore/LogSpace.ts"
import type { LogCorrupt, LogFailed } from "../../EventStore/LogStore.ts"
import type { Input } from "../core/Input.ts"
import type { State } from "../core/State.ts"
import type { Condition } from "./Condition.ts"

/** The pause before another try, if the disk or the machine was not ready. */
const retryMs = 500

export interface DiscardingOptions {
  readonly core: Readonly<Pick<State, "durableSeq" | "log" | "snapshot" | "snapshotSeq">>
  readonly space: LogSpace["Service"]
  readonly run: (input: Input) => void
  readonly appliedIndex: () => number
  /** Whether the state is not trusted, so that no snapshot is taken of it. */
  readonly isSuspect: () => boolean
  readonly takeSnapshot: Effect.Effect<void>
  readonly until: Condition["until"]
}

/** Returns once the log holds no entry through `throughIndex`. */
export const discard = Effect.fnUntraced(function* (
  { appliedIndex, core, isSuspect, run, space, takeSnapshot, until }: DiscardingOptions,
  throughIndex: number
): Effect.fn.Return<void, LogFailed | LogCorrupt> {
  yield* until(() => appliedIndex() >= throughIndex && !isSuspect())
  // Until a snapshot can be taken, the segment ends only once: each further one takes room on a disk that may be full.
  let endedIndex: number | undefined
  while (space.firstIndex() <= throughIndex) {
    const endIndex = endedIndex ?? (yield* space.endSegment)
    endedIndex = endIndex
    // A new leader may have replaced the last entries: then the log ends earlier, and the next round ends it again.
    yield* until(() => appliedIndex() >= Math.min(endIndex, core.log.lastIndex) && !isSuspect())
    const wantedIndex = Math.min(endIndex, appliedIndex())
    yield* takeSnapshot
    run({ _tag: "Discard", throughIndex: wantedIndex })
    if ((core.snapshot?.index ?? 0) >= wantedIndex) {
      // A leader's snapshot may have replaced the log: the disk has its note only once that is written.
      yield* until(() => core.log.firstIndex > wantedIndex && core.snapshotSeq <= core.durableSeq)
      yield* space.compact({ throughIndex: wantedIndex })
      endedIndex = undefined
    }
    if (space.firstIndex() <= throughIndex) yield* Effect.sleep(retryMs)
  }
})

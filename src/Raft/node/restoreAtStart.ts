/**
 * Restores the machine at a node's start: from its newest snapshot, and from the entries behind it that the node knows to
 * be committed. Nobody asks the machine meanwhile, so it builds its indexes once, at the end: an entry takes less than
 * half of the time that it would take later. Raft §7.
 */
import { Clock, Effect } from "effect"
import type { LogCorrupt, LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import type { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import { invariant } from "../../Invariant.ts"
import { knownThrough } from "../core/State.ts"
import type { AppliedMarks } from "./AppliedMarks.ts"
import { type Restored, restoreNewest } from "./restoreMachine.ts"
import type { Rebuilding, StateMachine } from "./StateMachine.ts"

/** The payload that is applied before other work has its turn. */
const pageMaxBytes = 1024 * 1024
/** How often a start that takes long says how far it is. */
const toldEveryNanos = 1_000_000_000n

/** What the machine reflects after a start. */
export interface RestoredAtStart {
  /** From where consensus goes on: the snapshot if there is one, and the last applied entry if there is any. */
  readonly from: { readonly snapshot?: Restored; readonly appliedIndex?: number }
  /** The payload of the entries that were applied. */
  readonly appliedBytes: number
}

const applyThrough = Effect.fnUntraced(function* (
  anew: Rebuilding,
  store: LogStore["Service"],
  range: { readonly fromIndex: number; readonly toIndex: number }
) {
  const { monotonicTimeNanosUnsafe: nowNanos } = yield* Clock.Clock
  let dueNanos = nowNanos() + toldEveryNanos
  let appliedBytes = 0
  let next = range.fromIndex
  while (next <= range.toIndex) {
    const entries = yield* store.read({ fromIndex: next, toIndex: range.toIndex, maxBytes: pageMaxBytes })
    invariant(entries[0]?.index === next, `entry ${next} is known to be committed, and the log lacks it`)
    for (const entry of entries) {
      anew.apply(entry)
      appliedBytes += entry.payload.length
    }
    next += entries.length
    if (nowNanos() >= dueNanos) {
      dueNanos = nowNanos() + toldEveryNanos
      yield* Effect.logInfo(`Applying the log: entry ${next - 1} of ${range.toIndex}`)
    }
    yield* Effect.yieldNow
  }
  return appliedBytes
})

/** Restores the machine, and leaves it as it is if there is nothing to restore. */
export const restoreAtStart = Effect.fnUntraced(function* (
  machine: Pick<StateMachine<never, unknown>, "rebuilding">,
  store: LogStore["Service"],
  marks: AppliedMarks
): Effect.fn.Return<RestoredAtStart, LogFailed | LogCorrupt, SnapshotStore> {
  const { recovered } = store
  const anew = machine.rebuilding()
  const snapshot = yield* restoreNewest(anew, "asWritten", recovered.firstIndex - 1)
  const restoredIndex = snapshot?.index ?? 0
  const toIndex = knownThrough({ recovered, snapshot, mark: yield* marks.read })
  const appliedBytes = yield* applyThrough(anew, store, { fromIndex: restoredIndex + 1, toIndex })
  const appliedIndex = Math.max(restoredIndex, toIndex)
  if (appliedIndex === 0) return { from: {}, appliedBytes }
  anew.end()
  return { from: { ...(snapshot === undefined ? {} : { snapshot }), appliedIndex }, appliedBytes }
})

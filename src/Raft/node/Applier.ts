/** Applies committed entries to the machine, in order: from memory, from disk, or by a snapshot in their place. */
import { Clock, Deferred, Effect, Queue } from "effect"
import type { LogEntry, SnapshotMark } from "../../EventStore/LogEntry.ts"
import type { LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import { invariant } from "../../Invariant.ts"
import { slice } from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"
import { restoreNewest } from "./restoreMachine.ts"
import type { Rebuilding, StateMachine } from "./StateMachine.ts"

/** The payload that one read takes from memory or disk. */
const applyMaxBytes = 256 * 1024
/** How long one turn applies entries and answers their clients before other work has its turn. */
const applyMaxNanos = 10_000_000n

/** The machine's next task. Tasks are done in order. */
export type Task =
  | { readonly _tag: "Apply"; readonly fromIndex: number; readonly toIndex: number }
  | { readonly _tag: "Restore"; readonly mark: SnapshotMark }
  /** A state that was rebuilt through the entry before `fromIndex` replaces the current one (rebuildState.ts). */
  | {
      readonly _tag: "Replace"
      readonly anew: Rebuilding
      readonly fromIndex: number
      readonly replaced: Deferred.Deferred<boolean>
    }

/** Carries out the next task, and waits if there is none. */
export const make = <Command, Answer>(options: {
  readonly core: Readonly<State>
  readonly machine: StateMachine<Command, Answer>
  readonly store: LogStore["Service"]
  readonly snapshots: SnapshotStore["Service"]
  readonly tasks: Queue.Queue<Task>
  readonly applyEntry: (entry: LogEntry) => void
  readonly onApplied: (index: number, payloadBytes: number) => void
  readonly appliedIndex: () => number
  /** From now on the state may differ from that of the applied index, until it is replaced. */
  readonly onReplacing: () => void
  readonly onReplaced: () => void
}) => {
  const { core, store } = options

  /**
   * A leader's snapshot has replaced the log up to here, since only applied entries are compacted. It is restored next.
   */
  const isReplaced = (index: number): boolean => index < core.log.firstIndex

  /** Whether all of the entries were there. */
  const applyRange = Effect.fnUntraced(function* (
    { fromIndex, toIndex }: { readonly fromIndex: number; readonly toIndex: number },
    applyEntry: (entry: LogEntry) => void,
    onApplied: (index: number, payloadBytes: number) => void
  ) {
    for (let index = fromIndex; index <= toIndex; ) {
      const held = slice(core.log, { fromIndex: index, maxBytes: applyMaxBytes })
      const read = store.read({ fromIndex: index, toIndex, maxBytes: applyMaxBytes }).pipe(
        // The log may have lost these entries by now.
        Effect.catchTag("LogFailed", (failed) => (isReplaced(index) ? Effect.succeed([]) : Effect.fail(failed)))
      )
      const entries = held.length > 0 ? held : yield* read
      if (isReplaced(index)) return false
      invariant(entries.length > 0, `entry ${index} was to be applied and is not in the log`)
      const clock = yield* Clock.Clock
      const firstIndex = index
      const endNanos = clock.monotonicTimeNanosUnsafe() + applyMaxNanos
      let payloadBytes = 0
      for (const entry of entries) {
        if (index > toIndex || (index > firstIndex && clock.monotonicTimeNanosUnsafe() >= endNanos)) break
        invariant(entry.index === index, `entry ${entry.index} was read where ${index} was to be applied`)
        applyEntry(entry)
        payloadBytes += entry.payload.length
        index++
      }
      onApplied(index - 1, payloadBytes)
      if (index <= toIndex) yield* Effect.yieldNow
    }
    return true
  })

  const replace = Effect.fnUntraced(function* (task: Extract<Task, { readonly _tag: "Replace" }>) {
    const range = { fromIndex: task.fromIndex, toIndex: options.appliedIndex() }
    const isWhole = yield* applyRange(range, task.anew.apply, () => {})
    if (isWhole) {
      task.anew.end()
      options.onReplaced()
    }
    yield* Deferred.succeed(task.replaced, isWhole)
  })

  return Effect.gen(function* () {
    const task = yield* Queue.take(options.tasks)
    if (task._tag === "Apply") return void (yield* applyRange(task, options.applyEntry, options.onApplied))
    if (task._tag === "Replace") return yield* replace(task)
    // A newer snapshot has replaced the entries that followed this one.
    if (isReplaced(task.mark.index + 1)) return
    // A newer snapshot may be there, of which the core has not been told yet.
    const { index } = task.mark
    options.onReplacing()
    const restoring = restoreNewest(options.machine, index, index)
    const restored = yield* Effect.provideService(restoring, SnapshotStore, options.snapshots)
    invariant(restored?.index === index, `the snapshot at ${index} is not there`)
    options.onReplaced()
    options.onApplied(restored.index, 0)
    yield* Effect.logInfo(`Restored the snapshot of the leader: all entries through ${restored.index}`)
  })
}

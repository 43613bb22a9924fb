/**
 * Applies committed entries to the machine, in order. A turn applies what is in memory. A fiber fetches what is not:
 * entries from disk, or a snapshot in their place. Nothing is applied meanwhile, so the order is that of the log.
 */
import { Cause, Effect } from "effect"
import type { LogEntry, SnapshotMark } from "../../EventStore/LogEntry.ts"
import type { LogCorrupt, LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import { invariant } from "../../Invariant.ts"
import * as RaftLog from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"
import { restoreNewest } from "./restoreMachine.ts"
import type { Rebuilding, StateMachine } from "./StateMachine.ts"

/** The payload that one read takes from disk. */
const pageMaxBytes = 256 * 1024
/** How long one turn applies entries and answers their clients before other work has its turn. */
const applyMaxNanos = 5_000_000n

/** The entries of a task that are not applied yet. */
interface Range {
  fromIndex: number
  toIndex: number
}

/** The machine's next task. Tasks are done in order. */
export type Task =
  | { readonly _tag: "Apply"; readonly fromIndex: number; readonly toIndex: number }
  | { readonly _tag: "Restore"; readonly mark: SnapshotMark }
  /** A state that was rebuilt through the entry before `fromIndex` replaces the current one (rebuildState.ts). */
  | {
      readonly _tag: "Replace"
      readonly anew: Rebuilding
      readonly fromIndex: number
      /** Called once: false if entries from `fromIndex` on are gone. */
      readonly replaced: (isWhole: boolean) => void
    }

export interface Applier {
  readonly add: (task: Task) => void
  /** Does what can be done now, for a slice of time. If something is left, it makes a turn come. */
  readonly work: () => void
  /** Applies nothing more: the node has stopped. */
  readonly end: () => void
}

type Doing =
  | ({ readonly _tag: "Apply" } & Range)
  | Extract<Task, { readonly _tag: "Restore" }>
  | (Omit<Extract<Task, { readonly _tag: "Replace" }>, "fromIndex"> & Range)

export const make = <Command, CommandResult>(options: {
  readonly core: Readonly<State>
  readonly machine: StateMachine<Command, CommandResult>
  readonly store: Pick<LogStore["Service"], "read">
  readonly snapshots: SnapshotStore["Service"]
  readonly monotonicNanos: () => bigint
  readonly applyEntry: (entry: LogEntry) => void
  readonly onApplied: (index: number, payloadBytes: number) => void
  readonly appliedIndex: () => number
  /** From now on the state may differ from that of the applied index, until it is replaced. */
  readonly onReplacing: () => void
  readonly onReplaced: () => void
  readonly onFailed: (cause: Cause.Cause<LogFailed | LogCorrupt>) => void
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Makes a turn come, which calls {@link Applier.work}. */
  readonly ring: () => void
}): Applier => {
  const { core, store } = options
  const tasks: Array<Doing> = []
  /** Whether a fiber fetches something for the first task. */
  let isFetching = false
  let isOver = false
  /** Entries that were read from disk for the first task. */
  let page: ReadonlyArray<LogEntry> = []

  /** A leader's snapshot has replaced the log up to here, since only applied entries are compacted. It is restored next. */
  const isReplaced = (index: number): boolean => index < core.log.firstIndex

  const fetch = (work: Effect.Effect<void, LogFailed | LogCorrupt>): void => {
    isFetching = true
    const fetched = Effect.map(work, () => {
      isFetching = false
      options.ring()
    })
    options.fork(
      Effect.catchCause(fetched, (cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.sync(() => options.onFailed(cause))
      )
    )
  }

  const readPage = ({ fromIndex, toIndex }: Range) =>
    store.read({ fromIndex, toIndex, maxBytes: pageMaxBytes }).pipe(
      // The log may have lost these entries by now.
      Effect.catchTag("LogFailed", (failed) => (isReplaced(fromIndex) ? Effect.succeed([]) : Effect.fail(failed))),
      Effect.flatMap((entries) =>
        Effect.sync(() => {
          const isThere = entries.length > 0 || isReplaced(fromIndex)
          invariant(isThere, `entry ${fromIndex} was to be applied and is not in the log`)
          page = entries
        })
      )
    )

  const restore = Effect.fnUntraced(function* ({ index }: SnapshotMark) {
    // A newer snapshot may be there, and the core does not know it yet.
    options.onReplacing()
    const restoring = restoreNewest(options.machine, "counted", index, index)
    const restored = yield* Effect.provideService(restoring, SnapshotStore, options.snapshots)
    if (isOver) return
    invariant(restored?.index === index, `the snapshot at ${index} is not there`)
    options.onReplaced()
    tasks.shift()
    options.onApplied(restored.index, 0)
    yield* Effect.logInfo(`Restored the snapshot of the leader: all entries through ${restored.index}`)
  })

  const entryAt = (index: number): LogEntry | undefined =>
    RaftLog.entryAt(core.log, index) ?? page[index - (page[0]?.index ?? index)]

  /** Applies a part of the range. Returns whether the range is over: all of it is applied, or a snapshot replaced it. */
  const applyPart = (
    range: Range,
    endNanos: bigint,
    applyEntry: (entry: LogEntry) => void,
    onApplied: (index: number, payloadBytes: number) => void
  ): boolean => {
    const { fromIndex } = range
    let payloadBytes = 0
    let entry: LogEntry | undefined
    while (range.fromIndex <= range.toIndex && !isReplaced(range.fromIndex)) {
      if (range.fromIndex > fromIndex && options.monotonicNanos() >= endNanos) break
      entry = entryAt(range.fromIndex)
      if (entry === undefined) {
        fetch(readPage({ ...range }))
        break
      }
      invariant(entry.index === range.fromIndex, `entry ${entry.index} was to be applied at ${range.fromIndex}`)
      applyEntry(entry)
      payloadBytes += entry.payload.length
      range.fromIndex += 1
    }
    if (range.fromIndex > fromIndex) onApplied(range.fromIndex - 1, payloadBytes)
    return range.fromIndex > range.toIndex || isReplaced(range.fromIndex)
  }

  /** Does a part of the first task. Returns whether that is over. */
  const doPart = (task: Doing, endNanos: bigint): boolean => {
    switch (task._tag) {
      case "Apply":
        return applyPart(task, endNanos, options.applyEntry, options.onApplied)
      case "Restore":
        // A newer snapshot has replaced the entries that followed this one.
        if (isReplaced(task.mark.index + 1)) return true
        fetch(restore(task.mark))
        return false
      case "Replace": {
        if (!applyPart(task, endNanos, task.anew.apply, () => {})) return false
        const isWhole = task.fromIndex > task.toIndex
        if (isWhole) {
          task.anew.end()
          options.onReplaced()
        }
        task.replaced(isWhole)
        return true
      }
    }
  }

  const begin = (task: Task): void => {
    const last = tasks[tasks.length - 1]
    if (task._tag === "Restore") tasks.push(task)
    else if (task._tag === "Replace") tasks.push({ ...task, toIndex: Number.NaN })
    else if (last?._tag === "Apply" && last.toIndex + 1 === task.fromIndex) last.toIndex = task.toIndex
    else tasks.push({ ...task })
  }

  return {
    add: begin,
    work: () => {
      if (isOver || isFetching || tasks.length === 0) return
      const endNanos = options.monotonicNanos() + applyMaxNanos
      while (!isFetching && tasks.length > 0) {
        const task = tasks[0]!
        // The rebuilt state takes in what was applied until its turn has come.
        if (task._tag === "Replace" && Number.isNaN(task.toIndex)) task.toIndex = options.appliedIndex()
        const isDone = doPart(task, endNanos)
        if (isDone) {
          tasks.shift()
          page = []
        }
        if (options.monotonicNanos() >= endNanos || !isDone) break
      }
      if (!isFetching && tasks.length > 0) options.ring()
    },
    end: () => {
      isOver = true
    }
  }
}

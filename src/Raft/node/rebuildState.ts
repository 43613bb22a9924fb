/**
 * Rebuilds a node's state beside the current one, which is not trusted any more. It starts from the first entry if the
 * log reaches back to it, and otherwise from a snapshot of the leader, since this node's own may be wrong. It follows
 * entries applied meanwhile, and at the end the new state replaces the current one.
 */
import { Effect } from "effect"
import type { LogCorrupt, LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { State } from "../core/State.ts"
import type * as Applier from "./Applier.ts"
import type { Condition } from "./Condition.ts"
import { restoreNewest } from "./restoreMachine.ts"
import type { StateMachine } from "./StateMachine.ts"

/** The payload that is applied before other work has its turn. */
const pageMaxBytes = 64 * 1024
/** Closer than this many entries, the rest is applied without a pause. */
const nearCount = 256

export interface RebuildingOptions {
  readonly core: Readonly<State>
  readonly machine: Pick<StateMachine<never, unknown>, "rebuilding">
  readonly store: LogStore["Service"]
  readonly snapshots: SnapshotStore["Service"]
  /** Gives the machine a task, behind those that it has. */
  readonly addTask: (task: Applier.Task) => void
  readonly appliedIndex: () => number
  /** Checks its condition again whenever this node has applied more. */
  readonly until: Condition["until"]
}

/**
 * Rebuilds from the beginning of the log, 0, or from the snapshot at an index. Returns false if the entries after it
 * are gone.
 */
export const rebuildFrom = Effect.fnUntraced(function* (
  options: RebuildingOptions,
  origin: number
): Effect.fn.Return<boolean, LogFailed | LogCorrupt> {
  const { addTask, appliedIndex, machine, snapshots, store, until } = options
  const anew = machine.rebuilding()
  if (origin > 0) yield* Effect.provideService(restoreNewest(anew, "counted", origin, origin), SnapshotStore, snapshots)
  yield* until(() => appliedIndex() >= origin)
  let next = origin + 1
  while (appliedIndex() - next >= nearCount) {
    const entries = yield* store.read({ fromIndex: next, toIndex: appliedIndex(), maxBytes: pageMaxBytes })
    if (entries.length === 0) return false
    for (const entry of entries) anew.apply(entry)
    next += entries.length
    yield* Effect.yieldNow
  }
  return yield* Effect.callback<boolean>((resume) => {
    const replaced = (isWhole: boolean) => resume(Effect.succeed(isWhole))
    addTask({ _tag: "Replace", anew, fromIndex: next, replaced })
  })
})

/**
 * Making the state of a node anew beside the one in use, which is not believed any more: from the first entry on where
 * the log reaches back to it, else from a snapshot of the leader, since those of this node may hold what is wrong. What
 * is applied meanwhile is followed, and in the end the new state takes the place of the old one.
 */
import { Deferred, Effect, Queue } from "effect"
import type { LogCorrupt, LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { State } from "../core/State.ts"
import type * as Applier from "./Applier.ts"
import { restoreNewest } from "./restoreMachine.ts"
import type { StateMachine } from "./StateMachine.ts"

/** Payload applied at once: what else waits has its turn after it. */
const pageMaxBytes = 64 * 1024
/** Closer than so many entries, the rest is applied while nothing else is. */
const nearCount = 256
/** How often it is looked whether this node has come as far as the snapshot. */
const pollMs = 10

export interface RebuildingOptions {
  readonly core: Readonly<State>
  readonly machine: Pick<StateMachine<never, unknown>, "rebuilding">
  readonly store: LogStore["Service"]
  readonly snapshots: SnapshotStore["Service"]
  readonly tasks: Queue.Queue<Applier.Task>
  readonly appliedIndex: () => number
}

/** From the beginning of the log, 0, or from the snapshot at an index; false if what follows it was not there any more. */
export const rebuildFrom = Effect.fnUntraced(function* (
  options: RebuildingOptions,
  origin: number
): Effect.fn.Return<boolean, LogFailed | LogCorrupt> {
  const { appliedIndex, machine, snapshots, store, tasks } = options
  const anew = machine.rebuilding()
  if (origin > 0) yield* Effect.provideService(restoreNewest(anew, origin, origin), SnapshotStore, snapshots)
  while (appliedIndex() < origin) yield* Effect.sleep(pollMs)
  let next = origin + 1
  while (appliedIndex() - next >= nearCount) {
    const entries = yield* store.read({ fromIndex: next, toIndex: appliedIndex(), maxBytes: pageMaxBytes })
    if (entries.length === 0) return false
    for (const entry of entries) anew.apply(entry)
    next += entries.length
    yield* Effect.yieldNow
  }
  const replaced = yield* Deferred.make<boolean>()
  Queue.offerUnsafe(tasks, { _tag: "Replace", anew, fromIndex: next, replaced })
  return yield* Deferred.await(replaced)
})

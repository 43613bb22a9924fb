/** What a node applies where the snapshot of a leader replaces its log meanwhile (§7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue } from "effect"
import type { LogEntry } from "../../../src/EventStore/LogEntry.ts"
import { LogStore } from "../../../src/EventStore/LogStore.ts"
import { layerMemory as layerMemoryLog } from "../../../src/EventStore/MemoryLog.ts"
import { SnapshotStore } from "../../../src/EventStore/SnapshotStore.ts"
import { layerMemory as layerMemorySnapshots } from "../../../src/EventStore/Snapshots.ts"
import { encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import * as Applier from "../../../src/Raft/node/Applier.ts"
import { configurationOf } from "../core/Cores.ts"
import { names, voters } from "./Shell.ts"

const entries = ["one", "two", "three"].map((name, at): LogEntry => {
  return { index: at + 1, term: 1, type: "transaction", payload: new TextEncoder().encode(name) }
})

/** A node that holds three entries and has applied none, and how it carries out what it is given to do. */
const start = Effect.gen(function* () {
  const store = yield* LogStore
  const snapshots = yield* SnapshotStore
  yield* store.append([{ entries }])
  const log = RaftLog.fromRecovered(store.recovered)
  for (const entry of entries) RaftLog.append(log, entry)
  const { machine, state } = names()
  const tasks = yield* Queue.unbounded<Applier.Task>()
  const reached: Array<number> = []
  const next = Applier.make({
    core: { log } as State,
    machine,
    store,
    snapshots,
    tasks,
    applyEntry: machine.apply,
    onApplied: (index) => reached.push(index),
    appliedIndex: () => reached.at(-1) ?? 0,
    onReplacing: () => {},
    onReplaced: () => {}
  })
  const keep = (index: number) => {
    const content = [new TextEncoder().encode(`all through ${index}`)]
    return snapshots.write({ index, term: 2, configuration: encodeConfiguration(configurationOf(voters)), content })
  }
  /** The core is told of a snapshot, and then the log on disk, or not yet. */
  const install = Effect.fnUntraced(function* (index: number, isNoted: boolean) {
    yield* keep(index)
    RaftLog.startAfter(log, { index, term: 2 })
    if (isNoted) yield* store.append([{ snapshot: { index, term: 2 }, entries: [] }])
    yield* Queue.offer(tasks, { _tag: "Restore", mark: { index, term: 2 } })
  })
  return { install, keep, next, reached, state, tasks }
})

const layer = Layer.merge(layerMemoryLog, layerMemorySnapshots)

describe("what was still to be applied", () => {
  it.effect("of a log that a snapshot has replaced is in that snapshot, and not asked of the log (§7)", () =>
    Effect.gen(function* () {
      for (const isNoted of [true, false]) {
        yield* Effect.gen(function* () {
          const { install, next, reached, state, tasks } = yield* start
          yield* Queue.offer(tasks, { _tag: "Apply", fromIndex: 1, toIndex: 3 })
          yield* install(9, isNoted)
          yield* next
          yield* next
          assert.deepStrictEqual([state.applied, reached], [["all through 9"], [9]])
        }).pipe(Effect.provide(Layer.fresh(layer)))
      }
    })
  )

  it.effect("is the snapshot that the core was told of, where a newer one has come that it was not", () =>
    Effect.gen(function* () {
      const { install, keep, next, reached, state } = yield* start
      yield* install(9, true)
      yield* keep(12)
      yield* next
      assert.deepStrictEqual([state.applied, reached], [["all through 9"], [9]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is the newest snapshot alone, where another one came before the first was restored", () =>
    Effect.gen(function* () {
      const { install, next, reached, state } = yield* start
      yield* install(9, false)
      yield* install(12, true)
      yield* next
      yield* next
      assert.deepStrictEqual([state.applied, reached], [["all through 12"], [12]])
    }).pipe(Effect.provide(layer))
  )
})

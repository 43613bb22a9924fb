/** What a node applies where the snapshot of a leader replaces its log meanwhile (§7). */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, FiberSet, Layer } from "effect"
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
  const reached: Array<number> = []
  let nowNanos = 0n
  let turnsCount = 0
  const fork = yield* FiberSet.makeRuntime<never>()
  const applier: Applier.Applier = Applier.make({
    core: { log } as State,
    machine,
    store,
    snapshots,
    // Time passes with each entry.
    monotonicNanos: () => (nowNanos += 3_000_000n),
    applyEntry: machine.apply,
    onApplied: (index) => reached.push(index),
    appliedIndex: () => reached.at(-1) ?? 0,
    onReplacing: () => {},
    onReplaced: () => {},
    onFailed: (cause) => assert.fail(Cause.pretty(cause)),
    // A fiber begins after the turn, as one that waits for the disk ends after it.
    fork: (effect) => fork(Effect.andThen(Effect.yieldNow, effect)),
    ring: () => {
      turnsCount += 1
    }
  })
  /** Takes turns until none is asked for, and the fibers wait. */
  const settle = Effect.gen(function* () {
    turnsCount = 1
    for (let turns = 0; turns < 50; turns++) {
      if (turnsCount > 0) {
        turnsCount = 0
        applier.work()
      }
      yield* Effect.yieldNow
    }
  })
  const keep = (index: number) => {
    const content = [new TextEncoder().encode(`all through ${index}`)]
    return snapshots.write({ index, term: 2, configuration: encodeConfiguration(configurationOf(voters)), content })
  }
  /** The core is told of a snapshot, and then the log on disk, or not yet. */
  const install = Effect.fnUntraced(function* (index: number, isNoted: boolean) {
    yield* keep(index)
    RaftLog.startAfter(log, { index, term: 2 }, 0)
    if (isNoted) yield* store.append([{ snapshot: { index, term: 2 }, entries: [] }])
    applier.add({ _tag: "Restore", mark: { index, term: 2 } })
  })
  return { applier, install, keep, log, reached, settle, state }
})

const layer = Layer.merge(layerMemoryLog, layerMemorySnapshots)

describe("what was still to be applied", () => {
  it.effect("is applied in order, from memory or from disk, and keeps the thread for a slice at a time", () =>
    Effect.gen(function* () {
      for (const isInMemory of [true, false]) {
        yield* Effect.gen(function* () {
          const { applier, log, reached, settle, state } = yield* start
          if (!isInMemory) RaftLog.trim(log, { throughIndex: 3, cacheBytes: 0 })
          applier.add({ _tag: "Apply", fromIndex: 1, toIndex: 2 })
          applier.add({ _tag: "Apply", fromIndex: 3, toIndex: 3 })
          if (isInMemory) applier.work()
          assert.deepStrictEqual(reached, isInMemory ? [2] : [])
          yield* settle
          assert.deepStrictEqual(
            [state.applied, reached],
            [
              ["one", "two", "three"],
              [2, 3]
            ]
          )
        }).pipe(Effect.provide(Layer.fresh(layer)))
      }
    })
  )

  it.effect("of a log that a snapshot has replaced is in that snapshot, and not asked of the log (§7)", () =>
    Effect.gen(function* () {
      for (const isNoted of [true, false]) {
        yield* Effect.gen(function* () {
          const { applier, install, reached, settle, state } = yield* start
          applier.add({ _tag: "Apply", fromIndex: 1, toIndex: 3 })
          yield* install(9, isNoted)
          yield* settle
          assert.deepStrictEqual([state.applied, reached], [["all through 9"], [9]])
        }).pipe(Effect.provide(Layer.fresh(layer)))
      }
    })
  )

  it.effect("waits while a snapshot is restored, and follows it", () =>
    Effect.gen(function* () {
      const { applier, install, log, reached, settle, state } = yield* start
      yield* install(9, true)
      applier.work()
      const ten: LogEntry = { index: 10, term: 2, type: "transaction", payload: new TextEncoder().encode("ten") }
      RaftLog.append(log, ten)
      applier.add({ _tag: "Apply", fromIndex: 10, toIndex: 10 })
      applier.work()
      assert.deepStrictEqual([state.applied, reached], [[], []])
      yield* settle
      assert.deepStrictEqual(
        [state.applied, reached],
        [
          ["all through 9", "ten"],
          [9, 10]
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("is the snapshot that the core was told of, where a newer one has come that it was not", () =>
    Effect.gen(function* () {
      const { install, keep, reached, settle, state } = yield* start
      yield* install(9, true)
      yield* keep(12)
      yield* settle
      assert.deepStrictEqual([state.applied, reached], [["all through 9"], [9]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is the newest snapshot alone, where another one came before the first was restored", () =>
    Effect.gen(function* () {
      const { install, reached, settle, state } = yield* start
      yield* install(9, false)
      yield* install(12, true)
      yield* settle
      assert.deepStrictEqual([state.applied, reached], [["all through 12"], [12]])
    }).pipe(Effect.provide(layer))
  )
})

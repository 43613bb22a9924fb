/** When a node takes a snapshot: soon while the state is small, seldom while it is large and many writes come. On the test's clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SnapshotStore } from "../../../src/EventStore/SnapshotStore.ts"
import { layerMemory } from "../../../src/EventStore/Snapshots.ts"
import { empty } from "../../../src/Raft/core/Configuration.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import * as SnapshotTaking from "../../../src/Raft/node/SnapshotTaking.ts"
import { begin, pass } from "./Shell.ts"

const snapshotAfterBytes = 1_000
const contentBytes = 5_000
/** So long a snapshot takes here. */
const takesMs = 100

const start = Effect.gen(function* () {
  const store = yield* SnapshotStore
  const log = RaftLog.fromRecovered({
    hardState: { currentTerm: 1, votedFor: undefined },
    firstIndex: 1,
    lastIndex: 100,
    termRuns: [{ fromIndex: 1, term: 1 }]
  })
  const core: { snapshot?: { index: number; term: number } } & Pick<State, "log" | "configurations"> = {
    log,
    configurations: [{ index: 0, configuration: empty }]
  }
  let appliedIndex = 0
  const slow = SnapshotStore.of({
    ...store,
    write: (snapshot) => Effect.andThen(Effect.sleep(takesMs), store.write(snapshot))
  })
  const taking = yield* SnapshotTaking.make({
    core: core as State,
    appliedIndex: () => appliedIndex,
    content: () => ({ content: [new Uint8Array(contentBytes)] }),
    onTaken: (index) => {
      core.snapshot = { index, term: 1 }
    },
    snapshotAfterBytes
  })
  const take = Effect.gen(function* () {
    const taken = yield* begin(Effect.provideService(taking.take, SnapshotStore, slow))
    yield* pass(takesMs)
    yield* taken.join
  })
  const apply = (payloadBytes: number) => {
    appliedIndex += 1
    taking.onApplied(payloadBytes)
  }
  return { apply, begins: taking.begins, take, core }
})

describe("SnapshotTaking", () => {
  it.effect("a snapshot is due after so much payload, and one at a time", () =>
    Effect.gen(function* () {
      const { apply, begins, core, take } = yield* start
      apply(999)
      assert.isFalse(begins())
      apply(1)
      assert.isTrue(begins())
      assert.isFalse(begins(), "it is under way")
      yield* take
      assert.strictEqual(core.snapshot?.index, 2)
      assert.isFalse(begins(), "nothing was applied since")
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("a quarter is enough once nothing was applied for two seconds, if the last one has been for long", () =>
    Effect.gen(function* () {
      const { apply, begins, core, take } = yield* start
      apply(249)
      yield* pass(2_000)
      assert.isFalse(begins(), "it is too little")
      apply(1)
      yield* pass(1_980)
      assert.isFalse(begins(), "more may come")
      yield* pass(20)
      assert.isTrue(begins())
      yield* take
      assert.strictEqual(core.snapshot?.index, 2)
      apply(249)
      yield* pass(5_000)
      assert.isFalse(begins())
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect(
    "the next one waits until the log is as long as the content, or for ten times as long as the last one took",
    () =>
      Effect.gen(function* () {
        const { apply, begins, core, take } = yield* start
        apply(1_000)
        assert.isTrue(begins())
        yield* take
        apply(contentBytes - 1)
        assert.isFalse(begins())
        apply(1)
        assert.isTrue(begins(), "the log is as long as the content")
        yield* take
        apply(1_000)
        assert.isFalse(begins())
        yield* pass(10 * takesMs - 40)
        assert.isFalse(begins())
        yield* pass(40)
        assert.isTrue(begins(), "the last one has been for long")
        yield* take
        assert.strictEqual(core.snapshot?.index, 4)
      }).pipe(Effect.provide(layerMemory))
  )
})

/** A start applies what the node has marked as applied, and nothing else behind its snapshot. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Result } from "effect"
import { derivedInMemory } from "../../../src/EventStore/DerivedFiles.ts"
import type { LogEntry } from "../../../src/EventStore/LogEntry.ts"
import { LogFailed, LogStore } from "../../../src/EventStore/LogStore.ts"
import { layerMemoryOf, makeMemoryLog } from "../../../src/EventStore/MemoryLog.ts"
import { SnapshotStore } from "../../../src/EventStore/SnapshotStore.ts"
import { layerMemory } from "../../../src/EventStore/Snapshots.ts"
import { encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import { knownThrough } from "../../../src/Raft/core/State.ts"
import * as AppliedMarks from "../../../src/Raft/node/AppliedMarks.ts"
import { restoreAtStart } from "../../../src/Raft/node/restoreAtStart.ts"

const entry = (index: number, term = 1): LogEntry => ({
  index,
  term,
  type: "transaction",
  payload: new Uint8Array(1000)
})

/** A machine that notes what it is asked for. */
const machineOf = (did: Array<string | number>) => ({
  rebuilding: () => ({
    restoring: () => ({
      take: () => {},
      end: () => {
        did.push("restored")
        return Result.void
      }
    }),
    apply: ({ index }: LogEntry) => void did.push(index),
    end: () => void did.push("end")
  })
})

/** What a start does with a log of five entries, the last of term 2, and a snapshot at an index or none. */
const start = Effect.fnUntraced(function* (options: {
  readonly snapshotIndex?: number
  readonly snapshotTerm?: number
  readonly mark?: AppliedMarks.AppliedMark
}) {
  const { mark, snapshotIndex, snapshotTerm = 1 } = options
  const did: Array<string | number> = []
  const log = makeMemoryLog()
  const stores = Layer.merge(layerMemoryOf(log), layerMemory)
  const begun = Effect.gen(function* () {
    const store = yield* LogStore
    const entries = [1, 2, 3, 4].map((index) => entry(index)).concat(entry(5, 2))
    yield* store.append([{ hardState: { currentTerm: 2, votedFor: undefined }, entries }])
  })
  yield* Effect.scoped(Effect.provide(begun, layerMemoryOf(log), { local: true }))
  return yield* Effect.gen(function* () {
    const snapshots = yield* SnapshotStore
    const configuration = encodeConfiguration({
      voters: [{ id: "a", address: "127.0.0.1:1", instanceId: "i" }],
      learners: []
    })
    if (snapshotIndex !== undefined) {
      yield* snapshots.write({ index: snapshotIndex, term: snapshotTerm, configuration, content: [new Uint8Array(8)] })
    }
    const marks = AppliedMarks.marksIn(derivedInMemory(), "c")
    if (mark !== undefined) yield* marks.write(mark)
    const restored = yield* restoreAtStart(machineOf(did), yield* LogStore, marks)
    return { did, appliedIndex: restored.from.appliedIndex, appliedBytes: restored.appliedBytes }
  }).pipe(Effect.provide(stores), Effect.scoped)
})

describe("a start", () => {
  it.effect("applies the entries behind its snapshot that it has marked", () =>
    Effect.gen(function* () {
      const marked = yield* start({ snapshotIndex: 2, mark: { index: 4, term: 1 } })
      assert.deepStrictEqual(marked, { did: ["restored", 3, 4, "end"], appliedIndex: 4, appliedBytes: 2000 })
      const whole = yield* start({ mark: { index: 5, term: 2 } })
      assert.deepStrictEqual(whole, { did: [1, 2, 3, 4, 5, "end"], appliedIndex: 5, appliedBytes: 5000 })
    })
  )

  it.effect("applies nothing that no mark names, or that its log does not have", () =>
    Effect.gen(function* () {
      const plain = { did: ["restored", "end"], appliedIndex: 2, appliedBytes: 0 }
      assert.deepStrictEqual(yield* start({ snapshotIndex: 2 }), plain)
      for (const mark of [
        { index: 1, term: 1 },
        { index: 4, term: 2 },
        { index: 6, term: 2 }
      ]) {
        assert.deepStrictEqual(yield* start({ snapshotIndex: 2, mark }), plain, JSON.stringify(mark))
      }
      assert.deepStrictEqual(yield* start({}), { did: [], appliedIndex: undefined, appliedBytes: 0 })
      // The snapshot came from a leader and replaces the log.
      const behind = yield* start({ snapshotIndex: 2, snapshotTerm: 2, mark: { index: 4, term: 1 } })
      assert.deepStrictEqual(behind, plain)
    })
  )

  it("leaves a log that is repaired to its leader", () => {
    const recovered = {
      firstIndex: 1,
      lastIndex: 3,
      hardState: { currentTerm: 1, votedFor: undefined },
      termRuns: [{ fromIndex: 1, term: 1 }]
    }
    const mark = { index: 2, term: 1 }
    assert.strictEqual(knownThrough({ recovered, snapshot: undefined, mark }), 2)
    assert.strictEqual(knownThrough({ recovered: { ...recovered, isRepairing: true }, snapshot: undefined, mark }), 0)
  })
})

describe("the mark", () => {
  it.effect("is none where a bit of it has flipped", () =>
    Effect.gen(function* () {
      const files = new Map<string, Uint8Array>()
      const marks = AppliedMarks.marksIn(derivedInMemory(files), "c")
      assert.isUndefined(yield* marks.read)
      yield* marks.write({ index: 1234, term: 5 })
      assert.deepStrictEqual(yield* marks.read, { index: 1234, term: 5 })
      const bytes = Uint8Array.from(files.get("applied")!)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Uint8Array.from(bytes)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        files.set("applied", flipped)
        assert.isUndefined(yield* marks.read, `bit ${bit}`)
      }
    })
  )

  it.effect("is none in the log of another cluster", () =>
    Effect.gen(function* () {
      const derived = derivedInMemory()
      yield* AppliedMarks.marksIn(derived, "c").write({ index: 1234, term: 5 })
      assert.isUndefined(yield* AppliedMarks.marksIn(derived, "d").read)
    })
  )

  it.effect("that cannot be written fails nobody", () =>
    Effect.gen(function* () {
      const refused = Effect.fail(new LogFailed({ message: "no" }))
      const marks = AppliedMarks.marksIn({ ...derivedInMemory(), write: () => refused }, "c")
      yield* marks.write({ index: 1, term: 1 })
      assert.isUndefined(yield* marks.read)
    }).pipe(Effect.provide(Logger.layer([])))
  )
})

/** From where on a history is retained: by its age, and by its bytes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { History } from "../../src/EventStore/History.ts"
import * as HistoryFiles from "../../src/EventStore/HistoryFiles.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { boundsOf, retainedFrom } from "../../src/Local/Retention.ts"
import { encode } from "../../src/Machine/Transaction.ts"

/** Three files of ten entries: decided at 10, 20 and 30 s, the last entry of each without a time. */
const keepFiles = Effect.gen(function* () {
  const history = yield* History
  for (const [at, fromIndex] of [1, 11, 21].entries()) {
    const entries = Array.from({ length: 10 }, (_, count): LogEntry => {
      const index = fromIndex + count
      if (count === 9) return { index, term: 1, type: "noop", payload: new Uint8Array(0) }
      const timeMs = (at + 1) * 10_000
      const payload = encode({ timeMs, logAgeMs: 0, command: "Put", events: [], outcome: { _tag: "Accepted" } })
      return { index, term: 1, type: "transaction", payload }
    })
    yield* history.keep({ fromIndex, toIndex: fromIndex + 9 }, () => Effect.succeed(entries))
  }
  return history
})

describe("retention", () => {
  it.effect("removes files whose entries are all older than its age", () =>
    Effect.gen(function* () {
      const history = yield* keepFiles
      const from = (nowMs: number) => retainedFrom(history, { ageMs: 60_000, bytes: undefined }, nowMs)
      assert.isUndefined(yield* from(70_000))
      assert.strictEqual(yield* from(70_001), 11)
      assert.strictEqual(yield* from(80_001), 21)
      assert.strictEqual(yield* from(1_000_000), 31)
    }).pipe(Effect.provide(HistoryFiles.layerMemory))
  )

  it.effect("takes a file without any time for as old as the next one that has a time", () =>
    Effect.gen(function* () {
      const history = yield* History
      // A cluster that elects leader after leader, and writes nothing.
      const noops = Array.from({ length: 100 }, (_, count): LogEntry => {
        return { index: count + 1, term: count + 1, type: "noop", payload: new Uint8Array(0) }
      })
      yield* history.keep({ fromIndex: 1, toIndex: 100 }, () => Effect.succeed(noops))
      const from = (nowMs: number) => retainedFrom(history, { ageMs: 60_000, bytes: undefined }, nowMs)
      assert.isUndefined(yield* from(1_000_000), "nobody knows yet how old it is")
      const payload = encode({ timeMs: 10_000, logAgeMs: 0, command: "Put", events: [], outcome: { _tag: "Accepted" } })
      const dated: LogEntry = { index: 101, term: 100, type: "transaction", payload }
      yield* history.keep({ fromIndex: 101, toIndex: 101 }, () => Effect.succeed([dated]))
      assert.isUndefined(yield* from(70_000))
      assert.strictEqual(yield* from(70_001), 102)
    }).pipe(Effect.provide(HistoryFiles.layerMemory))
  )

  it.effect("removes the oldest files while all take more than its bytes", () =>
    Effect.gen(function* () {
      const history = yield* keepFiles
      const sizes = history.files().map(({ fileBytes }) => fileBytes)
      const all = sizes.reduce((sum, bytes) => sum + bytes, 0)
      const from = (bytes: number) => retainedFrom(history, { ageMs: undefined, bytes }, 0)
      assert.isUndefined(yield* from(all))
      assert.strictEqual(yield* from(all - 1), 11)
      assert.strictEqual(yield* from(all - sizes[0]! - 1), 21)
      assert.strictEqual(yield* from(0), 31)
    }).pipe(Effect.provide(HistoryFiles.layerMemory))
  )

  it("takes an age above 0, and 16 MiB or more", () => {
    assert.deepStrictEqual(boundsOf(), { ageMs: undefined, bytes: undefined })
    assert.deepStrictEqual(boundsOf({ age: "1 hour", bytes: 2 ** 24 }), { ageMs: 3_600_000, bytes: 2 ** 24 })
    assert.throws(() => boundsOf({ age: 0 }))
    assert.throws(() => boundsOf({ bytes: 1_000 }))
  })
})

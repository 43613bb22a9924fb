/** What every layer of LogStore must do; run on each of them by logStore.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"

export function entry(index: number, term = 1, payload = `entry ${index} of term ${term}`): LogEntry {
  return { index, term, type: "transaction", payload: new TextEncoder().encode(payload) }
}

export function entries(from: number, to: number, term = 1): ReadonlyArray<LogEntry> {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term))
}

export const readAll = Effect.gen(function* () {
  const log = yield* LogStore
  return yield* log.read({ fromIndex: 1, toIndex: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER })
})

export function plain(found: ReadonlyArray<LogEntry>) {
  return found.map((one) => ({ ...one, payload: Array.from(one.payload) }))
}

export function logStoreContract(name: string, freshLayer: () => Layer.Layer<LogStore, LogFailed | LogCorrupt>): void {
  describe(`LogStore contract: ${name}`, () => {
    it.live("an empty log has lastIndex 0, no term and no vote", () =>
      Effect.gen(function* () {
        const { recovered } = yield* LogStore
        assert.deepStrictEqual(recovered, {
          hardState: { currentTerm: 0, votedFor: undefined },
          firstIndex: 1,
          lastIndex: 0,
          termRuns: []
        })
        assert.deepStrictEqual(yield* readAll, [])
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("what was appended is read back, in order and unchanged", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const noop: LogEntry = { index: 1, term: 3, type: "noop", payload: new Uint8Array(0) }
        const member: LogEntry = { index: 2, term: 3, type: "configuration", payload: new Uint8Array([0, 255, 7]) }
        yield* log.append([{ entries: [noop] }, { entries: [member, entry(3, 3)] }])
        yield* log.append([{ entries: [entry(4, 4)] }])
        assert.deepStrictEqual(plain(yield* readAll), plain([noop, member, entry(3, 3), entry(4, 4)]))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a read gives at least one entry, then as many as fit in maxBytes", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: [1, 2, 3, 4].map((index) => entry(index, 1, "ten bytes.")) }])
        const read = (maxBytes: number) =>
          Effect.map(log.read({ fromIndex: 2, toIndex: 4, maxBytes }), (found) => found.map((one) => one.index))
        assert.deepStrictEqual(yield* read(0), [2])
        assert.deepStrictEqual(yield* read(19), [2])
        assert.deepStrictEqual(yield* read(20), [2, 3])
        assert.deepStrictEqual(yield* read(1000), [2, 3, 4])
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a read outside of the log finds nothing", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 3) }])
        for (const [fromIndex, toIndex] of [
          [4, 9],
          [3, 2],
          [0, 0]
        ] as const) {
          assert.deepStrictEqual(yield* log.read({ fromIndex, toIndex, maxBytes: 1000 }), [])
        }
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a truncation removes its entry and all after it, and others take their place (§5.3)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 5) }])
        yield* log.append([{ truncateFromIndex: 3, entries: entries(3, 4, 2) }])
        assert.deepStrictEqual(plain(yield* readAll), plain([...entries(1, 2), ...entries(3, 4, 2)]))
        yield* log.append([
          { truncateFromIndex: 4, entries: [] },
          { truncateFromIndex: 2, entries: entries(2, 2, 3) }
        ])
        assert.deepStrictEqual(plain(yield* readAll), plain([entry(1), entry(2, 3)]))
        yield* log.append([{ truncateFromIndex: 1, entries: [] }])
        assert.deepStrictEqual(yield* readAll, [])
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("appends made at once are written one after another", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const appends = entries(1, 50).map((one) => log.append([{ entries: [one] }]))
        yield* Effect.all(appends, { concurrency: "unbounded" })
        assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 50)))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("an entry that does not follow the last one is a defect", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const exit = yield* Effect.exit(log.append([{ entries: [entry(2)] }]))
        assert.strictEqual(exit._tag, "Failure")
        yield* log.append([{ entries: [entry(1)] }])
      }).pipe(Effect.provide(freshLayer()))
    )
  })
}

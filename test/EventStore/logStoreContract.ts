/** What every layer of LogStore must do; run on each of them by logStore.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { LogEntry, LogWrite } from "../../src/EventStore/LogEntry.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"

export function entry(index: number, term = 1, payload = `entry ${index} of term ${term}`): LogEntry {
  return { index, term, type: "transaction", payload: new TextEncoder().encode(payload) }
}

export function entries(from: number, to: number, term = 1): ReadonlyArray<LogEntry> {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term))
}

/** As a node appends: without an Effect if the log can, and by one otherwise. */
export const appendNow = (log: LogStore["Service"], writes: ReadonlyArray<LogWrite>): Effect.Effect<void, LogFailed> =>
  Effect.callback((resume) => {
    if (!log.appendNow(writes, resume)) resume(log.append(writes))
  })

export const readAll = Effect.gen(function* () {
  const log = yield* LogStore
  return yield* log.read({ fromIndex: 1, toIndex: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER })
})

export function plain(found: ReadonlyArray<LogEntry>) {
  return found.map((one) => ({ ...one, payload: Array.from(one.payload) }))
}

/** Entries from the first that is left on. */
export const readLeft = Effect.gen(function* () {
  const fromIndex = (yield* LogSpace).firstIndex()
  const log = yield* LogStore
  return yield* log.read({ fromIndex, toIndex: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER })
})

const failureOf = (fromIndex: number) =>
  Effect.gen(function* () {
    const log = yield* LogStore
    const failure = yield* Effect.flip(log.read({ fromIndex, toIndex: Number.MAX_SAFE_INTEGER, maxBytes: 1 }))
    return failure._tag === "LogFailed" ? failure.reason : failure._tag
  })

export function logStoreContract(
  name: string,
  freshLayer: () => Layer.Layer<LogStore | LogSpace, LogFailed | LogCorrupt>,
  /** Whether the log has a history, from which it reads what compaction took. */
  { isKept = false } = {}
): void {
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

    it.live("appended entries are read back, in order and unchanged", () =>
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

    it.live("a batch appended now is written whole, or not begun while another one is under way", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 3) }])
        let taken = 0
        const appendTwo = Effect.callback<void, LogFailed>((resume) => {
          let open = 0
          const begin = (writes: ReadonlyArray<LogWrite>) => {
            open += 1
            const isTaken = log.appendNow(writes, (exit) => {
              open -= 1
              if (exit._tag === "Failure" || open === 0) resume(exit)
            })
            if (isTaken) taken += 1
            else open -= 1
          }
          begin([{ truncateFromIndex: 3, entries: entries(3, 4, 2) }])
          // What the first one may still be writing follows here.
          begin([{ hardState: { currentTerm: 2, votedFor: undefined }, entries: entries(5, 6, 2) }])
        })
        yield* appendTwo
        assert.isAtLeast(taken, 1)
        const lastIndex = taken === 1 ? 4 : 6
        yield* appendNow(log, [{ entries: entries(lastIndex + 1, 8, 2) }])
        assert.deepStrictEqual(plain(yield* readAll), plain([...entries(1, 2), ...entries(3, 8, 2)]))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a snapshot of an entry that is there leaves all entries in place (§7)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 5) }])
        yield* log.append([{ snapshot: { index: 3, term: 1 }, entries: entries(6, 7) }])
        assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 7)))
        assert.strictEqual((yield* LogSpace).firstIndex(), 1)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a snapshot beyond the end begins the log anew behind it (§7)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 5) }])
        yield* log.append([
          { hardState: { currentTerm: 4, votedFor: "a" }, entries: [entry(6)] },
          { snapshot: { index: 100, term: 3 }, entries: [] },
          { entries: entries(101, 102, 4) }
        ])
        assert.strictEqual((yield* LogSpace).firstIndex(), 101)
        assert.deepStrictEqual(plain(yield* readLeft), plain(entries(101, 102, 4)))
        assert.strictEqual(yield* failureOf(100), "compacted")
        assert.strictEqual(yield* failureOf(1), "compacted")
        yield* log.append([{ truncateFromIndex: 101, entries: entries(101, 103, 5) }])
        assert.deepStrictEqual(plain(yield* readLeft), plain(entries(101, 103, 5)))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a snapshot whose entry is there with another term begins the log anew behind it (§7)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 100) }])
        yield* log.append([{ snapshot: { index: 50, term: 2 }, entries: [] }])
        assert.deepStrictEqual(yield* readLeft, [])
        yield* log.append([{ entries: entries(51, 60, 2) }])
        assert.deepStrictEqual(plain(yield* readLeft), plain(entries(51, 60, 2)))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a snapshot older than the newest one changes nothing", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ snapshot: { index: 100, term: 3 }, entries: entries(101, 102, 4) }])
        yield* log.append([{ snapshot: { index: 40, term: 1 }, entries: [] }])
        yield* log.append([{ snapshot: { index: 100, term: 3 }, entries: [] }])
        assert.deepStrictEqual(plain(yield* readLeft), plain(entries(101, 102, 4)))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("compaction keeps all entries above its index, and reads below what is left say so (C14)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const space = yield* LogSpace
        for (let index = 1; index <= 300; index += 10) yield* log.append([{ entries: entries(index, index + 9) }])
        yield* log.append([{ snapshot: { index: 250, term: 1 }, entries: [] }])
        for (const throughIndex of [0, 90, 200, 90, 250]) {
          const firstIndex = yield* space.compact({ throughIndex })
          assert.isAtMost(firstIndex, Math.max(throughIndex, 200) + 1)
          assert.strictEqual(space.firstIndex(), firstIndex)
          assert.deepStrictEqual(plain(yield* readLeft), plain(entries(firstIndex, 300)))
          const below = { fromIndex: firstIndex - 1, toIndex: firstIndex - 1, maxBytes: 1 }
          if (firstIndex > 1 && isKept) assert.strictEqual((yield* log.read(below))[0]?.index, firstIndex - 1)
          else if (firstIndex > 1) assert.strictEqual(yield* failureOf(firstIndex - 1), "compacted")
        }
        yield* log.append([{ truncateFromIndex: 280, entries: entries(280, 281, 2) }])
        const left = [...entries(space.firstIndex(), 279), ...entries(280, 281, 2)]
        assert.deepStrictEqual(plain(yield* readLeft), plain(left))
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("compaction above the newest snapshot, and truncation at or below it, are defects (C8, C14)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const space = yield* LogSpace
        yield* log.append([{ entries: entries(1, 9) }])
        assert.strictEqual((yield* Effect.exit(space.compact({ throughIndex: 1 })))._tag, "Failure")
        yield* log.append([{ snapshot: { index: 5, term: 1 }, entries: [] }])
        assert.strictEqual((yield* Effect.exit(space.compact({ throughIndex: 6 })))._tag, "Failure")
        const truncation = log.append([{ truncateFromIndex: 5, entries: [] }])
        assert.strictEqual((yield* Effect.exit(truncation))._tag, "Failure")
        assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 9)))
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

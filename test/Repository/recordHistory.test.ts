/** The walk through one record's past, held against the list of its versions: pages, moments, bounds, what is missing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Event } from "../../src/Machine/Event.ts"
import type { Transaction } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import * as RecordHistory from "../../src/Repository/RecordHistory.ts"
import { seeded } from "../Machine/Seeded.ts"

class Note extends Model.Class<Note>("Note")({ id: Model.id(Schema.String), text: Model.replicate(Schema.String) }) {}
const descriptor = Model.describe(Note)

/** A log in which the record `a` changes `versionsCount` times, among other entries and sometimes twice in one. */
const play = (versionsCount: number, seed: number, firstVersion = 1) => {
  const random = seeded(seed)
  const log = new Map<number, Transaction>()
  const versions: Array<{
    readonly version: number
    readonly index: number
    readonly timeMs: number
    readonly type: Event["type"]
  }> = []
  let index = 0
  let timeMs = 1_000
  let isThere = false
  while (versions.length < versionsCount) {
    index += 1 + random.below(3)
    timeMs += random.below(3)
    const events: Array<Event> = []
    for (let count = random.below(4) === 0 ? 2 : 1; count > 0; count--) {
      const isDeleted: boolean = isThere && random.below(10) === 0
      const type = isDeleted ? "deleted" : isThere ? "updated" : "created"
      isThere = !isDeleted
      const last = versions.at(-1)
      const version = (last?.version ?? firstVersion - 1) + 1
      const data = { id: "a", text: `version ${version}` }
      events.push({ type, model: "Note", modelVersion: 1, id: "b", version: 7, previousIndex: 0, data })
      events.push({ type, model: "Note", modelVersion: 1, id: "a", version, previousIndex: last?.index ?? 0, data })
      versions.push({ version, index, timeMs, type })
    }
    log.set(index, { timeMs, logAgeMs: 0, principal: "ada", command: "Put", outcome: { _tag: "Accepted" }, events })
  }
  const { index: newestIndex, version } = versions.at(-1)!
  return { log, versions, newest: { index: newestIndex, version } }
}

/** All pages, as a client reads them: each from a node that remembers nothing, or all from one. */
const readAll = Effect.fnUntraced(function* (
  played: ReturnType<typeof play>,
  options: { readonly limit: number; readonly isEachNew: boolean }
) {
  let readsCount = 0
  const source: RecordHistory.HistorySource = {
    entry: (index) =>
      Effect.sync(() => {
        readsCount += 1
        return played.log.get(index)
      })
  }
  let node = RecordHistory.make(source)
  let place: RecordHistory.Place | undefined = { afterVersion: 0 }
  let isComplete: boolean | undefined
  const found: Array<RecordHistory.Past> = []
  while (place !== undefined) {
    if (options.isEachNew) node = RecordHistory.make(source)
    readsCount = 0
    const page: RecordHistory.HistoryPage = yield* node.page(descriptor, "a", {
      newest: played.newest,
      place,
      limit: options.limit
    })
    assert.isAtMost(readsCount, RecordHistory.walkMaxCount, "the work of a request is bounded")
    assert.isAtMost(page.items.length, options.limit)
    found.push(...page.items)
    if (page.items.length > 0) isComplete = page.isComplete
    place = page.next
  }
  return { found, isComplete }
})

describe("the history of a record", { timeout: 60_000 }, () => {
  for (const seed of [1, 2, 3]) {
    it.effect(`pages give every version once, oldest first (seed ${seed})`, () =>
      Effect.gen(function* () {
        for (const firstVersion of [1, 1_001]) {
          const played = play(300, seed, firstVersion)
          for (const limit of [1, 7, 50, 1_000]) {
            for (const isEachNew of [true, false]) {
              const { found, isComplete } = yield* readAll(played, { limit, isEachNew })
              assert.deepStrictEqual(
                found.map(({ event: type, index, timeMs, version }) => ({ version, index, timeMs, type })),
                played.versions
              )
              assert.isTrue(isComplete)
              for (const { actor, record, version } of found) {
                assert.deepStrictEqual({ actor, text: record?.text }, { actor: "ada", text: `version ${version}` })
              }
            }
          }
        }
      })
    )

    it.effect(`a moment gives the state at that version or time (seed ${seed})`, () =>
      Effect.gen(function* () {
        const played = play(300, seed)
        const { newest, versions } = played
        const node = RecordHistory.make({ entry: (index) => Effect.succeed(played.log.get(index)) })
        const at = (moment: RecordHistory.Moment) =>
          Effect.map(node.at(descriptor, "a", { moment, newest }), (past) => past?.version)
        for (const { type, version } of versions) {
          assert.strictEqual(yield* at({ version }), type === "deleted" ? undefined : version)
        }
        for (let timeMs = 990; timeMs <= versions.at(-1)!.timeMs + 10; timeMs++) {
          const then = versions.findLast((version) => version.timeMs <= timeMs)
          assert.strictEqual(
            yield* at({ timeMs }),
            then?.type === "deleted" ? undefined : then?.version,
            `at ${timeMs}`
          )
        }
        for (const version of [0, 301, 9_999]) assert.isUndefined(yield* at({ version }))
      })
    )
  }

  it.effect("a record with 100,000 versions pages, each request with bounded work", () =>
    Effect.gen(function* () {
      const played = play(100_000, 4)
      for (const [long, isEachNew] of [
        [play(20_000, 4), true],
        [played, false]
      ] as const) {
        const { found, isComplete } = yield* readAll(long, { limit: 1_000, isEachNew })
        assert.strictEqual(found.length, long.versions.length)
        assert.isTrue(found.every(({ version }, at) => version === at + 1))
        assert.isTrue(isComplete)
      }
      const node = RecordHistory.make({ entry: (index) => Effect.succeed(played.log.get(index)) })
      const first = { moment: { version: 1 }, newest: played.newest }
      let triesCount = 1
      while ((yield* Effect.result(node.at(descriptor, "a", first)))._tag === "Failure") triesCount++
      assert.isAtLeast(triesCount, 100_000 / RecordHistory.walkMaxCount / 2)
      assert.isAtMost(triesCount, 40)
    })
  )

  it.effect("what is not retained is said, and the rest is given", () =>
    Effect.gen(function* () {
      const played = play(200, 5)
      const { newest, versions } = played
      for (const { index } of versions.filter(({ version }) => version <= 60)) played.log.delete(index)
      const held = versions.filter(({ index }) => played.log.has(index))
      for (const isEachNew of [true, false]) {
        const { found, isComplete } = yield* readAll(played, { limit: 50, isEachNew })
        assert.deepStrictEqual(
          found.map(({ version }) => version),
          held.map(({ version }) => version)
        )
        assert.isFalse(isComplete)
      }
      const node = RecordHistory.make({ entry: (index) => Effect.succeed(played.log.get(index)) })
      for (const moment of [{ version: 60 }, { timeMs: 0 }]) {
        const gone = yield* Effect.flip(node.at(descriptor, "a", { moment, newest }))
        assert.strictEqual(gone._tag, "HistoryGone")
        if (gone._tag !== "HistoryGone") continue
        const [oldest] = held
        assert.deepStrictEqual(
          { ...gone.toProblem().members },
          {
            oldestVersion: oldest!.version,
            oldestIndex: oldest!.index,
            oldestAt: new Date(oldest!.timeMs).toISOString()
          }
        )
      }
      for (const { index } of held) played.log.delete(index)
      const nothing = yield* readAll(played, { limit: 50, isEachNew: true })
      assert.deepStrictEqual(nothing, { found: [], isComplete: undefined })
    })
  )

  it.effect("a place that is none of the record is refused", () =>
    Effect.gen(function* () {
      const played = play(50, 6)
      const node = RecordHistory.make({ entry: (index) => Effect.succeed(played.log.get(index)) })
      const { newest } = played
      for (const from of [
        { version: 20, index: newest.index },
        { version: 51, index: newest.index + 1 },
        { version: 2, index: newest.index + 1_000_000 }
      ]) {
        const place = { afterVersion: 1, from }
        const refused = yield* Effect.flip(node.page(descriptor, "a", { newest, place, limit: 10 }))
        assert.strictEqual(refused._tag, "NotAPlace")
      }
    })
  )
})

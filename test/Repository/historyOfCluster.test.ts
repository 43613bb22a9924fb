/**
 * The history of records in a whole cluster, held against what its clients were answered: at every version, on every
 * node, through restarts, compaction and leaders' snapshots.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { system } from "../../src/Access/Caller.ts"
import { Member } from "../../src/Cluster/Member.ts"
import * as Model from "../../src/Model.ts"
import type { HistoryPage, Place } from "../../src/Repository/RecordHistory.ts"
import { Records } from "../../src/Repository/Records.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String),
  text: Model.replicate(Schema.String)
}) {}
const descriptor = Model.describe(Note)

/** Snapshots come early, and the log is short. */
const raft = { snapshotAfterBytes: 4_000, logRetainedCount: 10 }

const ids = ["a", "b", "c", "d"]

/** A version of a record as a client was answered. */
interface Answered {
  readonly version: number
  readonly type: string
  readonly text: unknown
  readonly index: number
}

const change = (id: string, text: string, isDeletion: boolean) =>
  Effect.gen(function* () {
    const records = yield* Records
    const made = isDeletion
      ? records.change(system, descriptor, { _tag: "Delete", model: "Note", id })
      : records.change(system, descriptor, { _tag: "Put", model: "Note", id, data: { id, text } })
    return yield* Effect.result(made)
  })

const history = (id: string, limit: number) =>
  Effect.gen(function* () {
    const records = yield* Records
    const items: Array<Answered> = []
    let isComplete = true
    let place: Place | undefined = { afterVersion: 0 }
    while (place !== undefined) {
      const { value }: { readonly value: HistoryPage | undefined } = yield* records.history(system, descriptor, id, {
        place,
        limit
      })
      if (value === undefined) return { items, isComplete: true }
      for (const { event, index, record, version } of value.items) {
        items.push({ version, type: event, text: record?.text, index })
      }
      isComplete &&= value.isComplete
      place = value.next
    }
    return { items, isComplete }
  })

const past = (id: string, version: number) =>
  Effect.flatMap(Records, (records) => Effect.result(records.past(system, descriptor, id, { version })))

const feedOf = Effect.map(Member, ({ feed }) => ({
  oldestIndex: feed.oldestIndex(),
  appliedIndex: feed.appliedIndex()
}))

for (const seed of [1, 2]) {
  describe(`histories of a cluster, seed ${seed}`, { timeout: 60_000 }, () => {
    it.effect("equal what was answered, on every node", () =>
      Effect.gen(function* () {
        const random = seeded(seed)
        const cluster = yield* TestCluster
        const answered = new Map<string, Array<Answered>>(ids.map((id) => [id, []]))
        let number = 0
        const write = Effect.fnUntraced(function* (node: string) {
          const id = ids[random.below(ids.length)]!
          const list = answered.get(id)!
          const isDeletion = list.length > 0 && list.at(-1)!.type !== "deleted" && random.below(6) === 0
          const text = `${++number} ${"x".repeat(random.below(80))}`
          const done = yield* cluster.on(node, change(id, text, isDeletion))
          if (Result.isFailure(done)) return assert.strictEqual(done.failure._tag, "NotDone")
          const { change: type, logIndex, record, version } = done.success
          list.push({ version, type, text: record?.text, index: logIndex! })
        })
        const nodes = cluster.nodes
        for (let count = 0; count < 150; count++) yield* write(nodes[random.below(3)]!)
        yield* cluster.settle
        yield* cluster.restart(nodes[random.below(3)]!)
        yield* cluster.settle
        for (let count = 0; count < 50; count++) yield* write(nodes[random.below(3)]!)
        // It lags by more than the others' logs hold, and is sent a snapshot.
        const leader = yield* cluster.leader
        const away = nodes.find((node) => node !== leader)!
        yield* cluster.partition([away])
        for (let count = 0; count < 200; count++) yield* write(leader)
        yield* cluster.heal
        yield* cluster.settle
        for (let count = 0; count < 30; count++) yield* write(nodes[random.below(3)]!)
        yield* cluster.settle

        const limit = 1 + random.below(40)
        assert.isAbove((yield* cluster.on(away, feedOf)).oldestIndex, 1, "it was sent a snapshot")
        for (const node of nodes) {
          if (node !== away) assert.strictEqual((yield* cluster.on(node, feedOf)).oldestIndex, 1)
          for (const [id, list] of answered) {
            const told = yield* cluster.on(node, history(id, limit))
            if (told.isComplete) assert.deepStrictEqual(told.items, list)
            else {
              assert.strictEqual(node, away)
              assert.deepStrictEqual(told.items, list.slice(list.length - told.items.length))
            }
            for (const { text, type, version } of list.filter((_, at) => at % 4 === 0)) {
              const found = yield* cluster.on(node, past(id, version))
              if (Result.isFailure(found)) {
                assert.strictEqual(found.failure._tag, "HistoryGone")
                assert.strictEqual(node, away)
                assert.isFalse(told.isComplete)
              } else assert.strictEqual(found.success.value?.record.text, type === "deleted" ? undefined : text)
            }
          }
        }
        // By then it has fetched what it lacked, and another start finds the same.
        yield* cluster.advance("5 seconds")
        yield* cluster.restart(...nodes)
        yield* cluster.settle
        for (const node of nodes) {
          assert.strictEqual((yield* cluster.on(node, feedOf)).oldestIndex, 1)
          for (const [id, list] of answered) {
            assert.deepStrictEqual((yield* cluster.on(node, history(id, 1_000))).items, list)
          }
        }
      }).pipe(Effect.provide(TestCluster.layer({ models: [Note], seed, raft })))
    )
  })
}

describe("retention by age", { timeout: 60_000 }, () => {
  it.effect("removes the same on every node, and says from where on it is kept, after a restart too", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      const put = (text: string) => cluster.on(leader, change("a", text, false))
      const oldest = Effect.forEach(cluster.nodes, (node) =>
        Effect.map(cluster.on(node, feedOf), ({ oldestIndex }) => oldestIndex)
      )
      for (let count = 0; count < 100; count++) yield* put(`early ${count} ${"x".repeat(60)}`)
      yield* cluster.settle
      assert.deepStrictEqual(yield* oldest, [1, 1, 1])
      yield* cluster.advance("30 seconds")
      for (let count = 0; count < 60; count++) yield* put(`late ${count} ${"x".repeat(60)}`)
      yield* cluster.settle
      yield* cluster.advance("12 seconds")
      const [first = 0, ...others] = yield* oldest
      assert.isAbove(first, 50)
      assert.deepStrictEqual(others, [first, first])
      yield* cluster.restart(...cluster.nodes)
      yield* cluster.settle
      assert.deepStrictEqual(yield* oldest, [first, first, first])
      for (const node of cluster.nodes) {
        const { isComplete, items } = yield* cluster.on(node, history("a", 1_000))
        assert.isFalse(isComplete)
        assert.isAtLeast(items[0]!.index, first)
        assert.strictEqual(items.at(-1)!.version, 160)
        const gone = yield* cluster.on(node, past("a", 1))
        assert.strictEqual(Result.isFailure(gone) ? gone.failure._tag : "read", "HistoryGone")
        const kept = yield* cluster.on(node, past("a", 160))
        assert.match(String(Result.getOrThrow(kept).value?.record.text), /^late 59/)
      }
    }).pipe(Effect.provide(TestCluster.layer({ models: [Note], raft, retention: { age: "25 seconds" } })))
  )
})

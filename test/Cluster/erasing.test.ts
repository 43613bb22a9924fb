/**
 * Erasures in a whole cluster whose nodes crash, lag and take snapshots: every member comes to its end, all have one
 * state, nobody sees the data again, and projections are as if the record had never been.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Member } from "../../src/Cluster/Member.ts"
import { lastErasure } from "../../src/Machine/Erasure.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"
import { Note, texts } from "../Testing/ErasedNotes.ts"

const raft = { snapshotAfterBytes: 4_000, logRetainedCount: 10 }
const ids = ["a", "b", "c", "d"]
const marker = (id: string): string => `secret of ${id}`

const erase = (id: string) =>
  Effect.flatMap(Member, (member) =>
    member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "Note", id })
  )

const write = (id: string, text: string) =>
  Effect.flatMap(Repository.make(Note), (notes) => notes.put(id, { text, draft: `${text} here` }))

/** The texts that a node shows of a record, now and before. */
const shown = (id: string) =>
  Effect.gen(function* () {
    const notes = yield* Repository.make(Note)
    const found = yield* notes.history(id)
    const past = found._tag === "Some" ? found.value.items.map(({ row }) => row?.text) : []
    const { projections } = yield* Repository.Repository
    const folded = yield* projections.getKey(texts, id)
    return { past, folded: folded._tag === "Some" ? folded.value : [] }
  })

const progress = Effect.map(Member, ({ erasing, tables }) => ({
  through: erasing.erasedThrough(),
  last: lastErasure(tables)
}))

for (const seed of [1, 2, 3]) {
  describe(`erasures of a cluster, seed ${seed}`, { timeout: 60_000 }, () => {
    it.effect("are carried out by every member, also by one that crashed or lagged", () =>
      Effect.gen(function* () {
        const random = seeded(seed)
        const cluster = yield* TestCluster
        const nodes = cluster.nodes
        const any = () => nodes[random.below(nodes.length)]!
        const tried = <A, E, R>(node: string, program: Effect.Effect<A, E, R>) =>
          Effect.result(cluster.on(node, program))
        for (let count = 0; count < 60; count++) yield* tried(any(), write(ids[random.below(4)]!, marker("a")))
        yield* cluster.settle
        const away = any()
        yield* cluster.crash(away)
        const asker = nodes.find((node) => node !== away)!
        yield* cluster.settle
        const asked = yield* cluster.on(asker, erase("a"))
        assert.strictEqual(asked._tag, "Erased")
        // Some crash in the middle of it, and writes go on.
        for (let round = 0; round < 4; round++) {
          yield* cluster.advance(random.below(300))
          if (random.below(2) === 0) yield* cluster.restart(any())
          yield* cluster.settle
          for (let count = 0; count < 10; count++) yield* tried(any(), write(ids[1 + random.below(3)]!, marker("b")))
        }
        yield* cluster.restart(away)
        yield* cluster.settle
        yield* cluster.advance(5_000)
        yield* cluster.settle
        for (const node of nodes) {
          const { last, through } = yield* cluster.on(node, progress)
          assert.isAbove(last, 0)
          assert.strictEqual(through, last, `${node} has erased`)
          const { folded, past } = yield* cluster.on(node, shown("a"))
          assert.isNotEmpty(past)
          assert.isTrue(past.every((text) => text === undefined))
          assert.deepStrictEqual(folded, [])
          const other = yield* cluster.on(node, shown("b"))
          assert.isNotEmpty(other.past)
          assert.isTrue(other.past.every((text) => text !== undefined))
          assert.strictEqual(other.folded.length, other.past.length)
        }
        // With digests, all members have the same, over all that happened.
        const chains = yield* Effect.forEach(nodes, (node) =>
          cluster.on(
            node,
            Effect.map(Member, ({ tables }) => tables.chain)
          )
        )
        for (const chain of chains) {
          assert.deepStrictEqual(chain, chains[0])
          assert.strictEqual(chain !== undefined, seed > 1)
        }
        // The id goes on.
        yield* cluster.on(nodes[0]!, write("a", "new"))
        yield* cluster.settle
        for (const node of nodes) {
          const { past } = yield* cluster.on(node, shown("a"))
          assert.strictEqual(past.at(-1), "new")
        }
        const told = yield* cluster.on(
          nodes[1]!,
          Effect.flatMap(Repository.make(Note), ({ changes }) =>
            changes({ after: "0" }).pipe(
              Stream.takeWhile((each) => each.type === "bookmark" || !("row" in each) || each.row.text !== "new"),
              Stream.runCollect
            )
          )
        )
        const ofA = told.filter((each) => each.type !== "bookmark" && each.id === "a")
        assert.deepStrictEqual(
          ofA.map(({ type }) => type),
          ["erased"]
        )
      }).pipe(
        Effect.provide(TestCluster.layer({ models: [Note], projections: [texts], raft, seed, tamperEvident: seed > 1 }))
      )
    )
  })
}

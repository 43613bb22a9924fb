/** What a projection makes of a snapshot that its node is sent: of entries that never were committed nothing is left. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Projections } from "../../src/Projection/Projections.ts"
import { linearizable } from "../../src/Repository/Freshness.ts"
import { TestCluster } from "../../src/Testing.ts"
import { makeSpent, models } from "./Sales.ts"

const spent = makeSpent()

const place = (customer: string) =>
  HttpClientRequest.post("/api/orders").pipe(
    HttpClientRequest.bodyJsonUnsafe({ customer, cents: 1 }),
    HttpClient.execute
  )

/** As many at once as there are, whatever becomes of them. */
const placeAll = (count: number, customer: string) =>
  Effect.all(
    Array.from({ length: count }, () => Effect.ignore(place(customer))),
    { concurrency: "unbounded", discard: true }
  )

/** Snapshots come early, and little history stays. */
const raft = { snapshotAfterBytes: 4_000, logRetainedCount: 20 }

/** The former leader, with 300 entries of its own that nobody else has, is sent a snapshot that reaches into them. */
const depose = Effect.gen(function* () {
  const cluster = yield* TestCluster
  const old = yield* cluster.leader
  const other = cluster.nodes.find((node) => node !== old)!
  for (let count = 0; count < 10; count++) yield* cluster.on(old, place("before"))
  yield* cluster.settle
  yield* cluster.partition([old])
  yield* cluster.on(old, placeAll(300, "never"))
  for (let count = 0; count < 150; count++) yield* cluster.on(other, Effect.ignore(place("won")))
  yield* cluster.heal
  yield* cluster.settle
  for (let count = 0; count < 20; count++) yield* cluster.on(other, place("after"))
  yield* cluster.settle
  return { cluster, old, other }
})

const read = Effect.flatMap(Projections, (projections) =>
  Effect.result(projections.page(spent, { limit: 10 }, linearizable))
)

describe("a projection whose node is sent a snapshot (§7)", () => {
  for (const seed of [1, 2, 3]) {
    it.effect(`is unavailable rather than wrong where its own log held other entries (seed ${seed})`, () =>
      Effect.gen(function* () {
        const { cluster, old, other } = yield* depose
        const whole = Result.getOrThrow(yield* cluster.on(other, read)).value.items
        assert.sameMembers(
          whole.map(({ key }) => key),
          ["before", "won", "after"]
        )
        const answered = yield* cluster.on(old, read)
        if (Result.isSuccess(answered)) assert.deepStrictEqual(answered.success.value.items, whole)
        else assert.strictEqual(answered.failure._tag, "ProjectionUnavailable")
      }).pipe(Effect.provide(TestCluster.layer({ models, projections: [spent], seed, raft })))
    )
  }
})

/**
 * A node whose state is not what its log says: all say so, and it goes on to acknowledge and to vote, but neither reads
 * nor leads until its state is made anew.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Member } from "../../src/Cluster/Member.ts"
import { evolveEvent } from "../../src/Machine/evolve.ts"
import { get, type Tables } from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const id = "019aa000-0000-7000-8000-000000000001"

const put = (name: string) =>
  HttpClientRequest.put(`/api/products/${id}`).pipe(HttpClientRequest.bodyJsonUnsafe({ name }), HttpClient.execute)
const read = (consistency: string) => HttpClient.get(`/api/products/${id}?consistency=${consistency}`)
const json = (path: string) => Effect.flatMap(HttpClient.get(path), (response) => response.json)
const status = Effect.map(json("/_admin/api/cluster"), (body) => body as Record<string, unknown>)

/** As a fault of `evolve`, or of memory, would: its hash follows, or knows nothing of it. */
const corrupt = (how: "evolved" | "unseen") =>
  Member.use(({ tables }) => Effect.sync(() => (how === "evolved" ? evolveWrongly(tables) : changeUnseen(tables))))

const evolveWrongly = (tables: Tables): void => {
  const row = get(tables, "Product", id)!
  const data = { ...row.data, name: "wrong" }
  const { index, modelVersion, version } = row
  evolveEvent(tables, index, {
    ...{ type: "updated", model: "Product", id, modelVersion, version, previousIndex: index, data }
  })
}

const changeUnseen = (tables: Tables): void => {
  const row = get(tables, "Product", id)!
  tables.byModel.get("Product")!.rows.set(id, { ...row, createdIndex: row.createdIndex + 1 })
}

const isSuspect = Member.use((member) => Effect.sync(() => member.node()?.states.isSuspect() === true))
const role = Member.use((member) => Effect.sync(() => member.node()?.core.role._tag))
const row = Member.use(({ tables }) => Effect.sync(() => get(tables, "Product", id)))

/** Waits in steps of virtual time. */
const until = Effect.fnUntraced(function* <E, R>(what: string, holds: Effect.Effect<boolean, E, R>) {
  const { advance } = yield* TestCluster
  for (let count = 0; count < 1_000; count++) {
    if (yield* holds) return
    yield* advance("50 millis")
  }
  assert.fail(`Never came true: ${what}`)
})

/** Runs on a cluster, with what its nodes wrote into their logs. */
const withCluster = <E>(size: number, use: (logged: ReadonlyArray<string>) => Effect.Effect<void, E, TestCluster>) => {
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${message}`))
  return use(logged).pipe(
    Effect.provide(TestCluster.layer({ models: [Product], size })),
    Effect.provide(Logger.layer([logger]))
  )
}

const start = Effect.gen(function* () {
  const { leader, nodes, on, settle } = yield* TestCluster
  const first = yield* leader
  yield* on(first, put("right"))
  yield* settle
  return { first, others: nodes.filter((node) => node !== first) }
})

describe("a node whose state is wrong", () => {
  for (const how of ["evolved", "unseen"] as const) {
    for (const whose of ["follower", "leader"] as const) {
      it.effect(`is found out, as a ${whose}, reads nothing, does not lead, and makes its state anew (${how})`, () =>
        withCluster(3, (logged) =>
          Effect.gen(function* () {
            const { nodes, on, settle } = yield* TestCluster
            const { first, others } = yield* start
            const wrong = whose === "leader" ? first : others[0]!
            yield* on(wrong, corrupt(how))
            yield* until("it is suspect", on(wrong, isSuspect))
            for (const consistency of ["local", "linearizable", "session"]) {
              assert.strictEqual((yield* on(wrong, read(consistency))).status, 503, consistency)
            }
            assert.strictEqual((yield* on(wrong, HttpClient.get("/readyz"))).status, 503)
            assert.notStrictEqual(yield* on(wrong, role), "Leader")
            const index = (yield* on(first, row))?.index
            yield* until(
              "all say which differs",
              Effect.map(
                Effect.forEach(nodes, (node) => on(node, status)),
                (all) =>
                  all.every(({ stateDifference }) =>
                    JSON.stringify(stateDifference).includes(`"outliers":["${wrong}"]`)
                  )
              )
            )
            const line = logged.find(
              (each) => each.startsWith("Error") && each.includes(`${wrong} differs from the majority`)
            )
            assert.include(line, "The states of the members differ at entry ")
            assert.isAtLeast(Number(/at entry (\d+)/.exec(line!)?.[1]), index!)
            const other = nodes.find((node) => node !== wrong)!
            const scraped = yield* on(
              other,
              Effect.flatMap(HttpClient.get("/metrics"), ({ text }) => text)
            )
            assert.include(scraped, `lithair_state_differs{member="${wrong}"} 1`)
            assert.include(scraped, `lithair_state_differs{member="${other}"} 0`)
            // It makes its state anew, and is believed once the others say the same.
            yield* until(
              "it is believed",
              Effect.map(on(wrong, isSuspect), (is) => !is)
            )
            yield* settle
            assert.strictEqual((yield* on(wrong, read("local"))).status, 200)
            assert.deepStrictEqual(yield* on(wrong, row), yield* on(other, row))
            assert.strictEqual((yield* on(wrong, row))?.data.name, "right")
            yield* until(
              "the alarm is over",
              Effect.map(on(other, status), ({ stateDifference }) => stateDifference === null)
            )
            assert.strictEqual((yield* on(wrong, put("later"))).status, 200)
          })
        )
      )
    }
  }

  it.effect("goes on to acknowledge and to vote: with it alone a leader commits, and one is elected", () =>
    withCluster(3, () =>
      Effect.gen(function* () {
        const { crash, leader, on } = yield* TestCluster
        const { first, others } = yield* start
        const [wrong, other] = others as [string, string]
        yield* on(wrong, corrupt("evolved"))
        yield* until("it is suspect", on(wrong, isSuspect))
        yield* crash(first)
        // Of the two that are left it votes, and does not campaign.
        assert.strictEqual(yield* leader, other)
        assert.strictEqual((yield* on(other, put("acknowledged"))).status, 200)
      })
    )
  )

  it.effect(
    "leads once its state is made anew, where it alone can: else nobody would, since no leader asks who is right",
    () =>
      withCluster(3, (logged) =>
        Effect.gen(function* () {
          const { crash, heal, leader, on, partition } = yield* TestCluster
          const { first, others } = yield* start
          const [wrong, other] = others as [string, string]
          yield* on(wrong, corrupt("evolved"))
          yield* until("it is suspect", on(wrong, isSuspect))
          // What the two then acknowledge, and the first dies with, is in no log but that of the suspect one.
          yield* partition([other])
          assert.strictEqual((yield* on(first, put("acknowledged"))).status, 200)
          assert.isTrue(yield* on(wrong, isSuspect))
          yield* crash(first)
          yield* heal
          yield* until(
            "somebody leads",
            Effect.map(on(wrong, role), (is) => is === "Leader")
          )
          assert.strictEqual(yield* leader, wrong)
          assert.isFalse(yield* on(wrong, isSuspect))
          assert.strictEqual((yield* on(wrong, row))?.data.name, "acknowledged")
          assert.isFalse(logged.some((line) => line.includes("still not that of a majority")))
          assert.strictEqual((yield* on(other, put("later"))).status, 200)
          assert.strictEqual((yield* on(wrong, read("linearizable"))).status, 200)
        })
      )
  )

  it.effect("is named where no majority agrees, and no more: nobody knows which one is wrong", () =>
    withCluster(2, (logged) =>
      Effect.gen(function* () {
        const { advance, nodes, on } = yield* TestCluster
        const { others } = yield* start
        yield* on(others[0]!, corrupt("evolved"))
        const all = Effect.forEach(nodes, (node) => on(node, status))
        yield* until(
          "both say so",
          Effect.map(all, (each) => each.every(({ stateDifference }) => stateDifference !== null))
        )
        yield* advance("5 seconds")
        for (const node of nodes) {
          assert.isFalse(yield* on(node, isSuspect))
          assert.strictEqual((yield* on(node, read("local"))).status, 200)
        }
        assert.isTrue(logged.some((line) => line.startsWith("Error") && line.includes("no majority agrees")))
      })
    )
  )
})

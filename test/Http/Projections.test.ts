/** Projections over HTTP: what a read may ask for, what it is answered, and whom it keeps waiting. docs/http.md, "Projections". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Turn } from "../../src/Http/Body.ts"
import { mayReadOf, projectionRoutes } from "../../src/Http/ProjectionRoutes.ts"
import * as Projection from "../../src/Projection.ts"
import { TestCluster } from "../../src/Testing.ts"
import { makeFaulty, makeHistory, makeSpent, models, Order } from "../Projection/Sales.ts"

const spent = makeSpent()
const history = makeHistory()
const faulty = makeFaulty("mallory")

const provide = Effect.provide(TestCluster.layer({ size: 1, models, projections: [spent, history, faulty] }))

const place = (customer: string) =>
  HttpClientRequest.post("/api/orders").pipe(
    HttpClientRequest.bodyJsonUnsafe({ customer, cents: 1 }),
    HttpClient.execute
  )

const get = Effect.fnUntraced(function* (path: string) {
  const { headers, json, status } = yield* HttpClient.get(path)
  // biome-ignore lint/suspicious/noExplicitAny: what it is, the test says.
  return { status, body: (yield* json) as any, index: Number(headers["lithair-index"]), link: headers.link }
})

describe("projections over HTTP", () => {
  it.effect("are read whole, by key, and from page to page, with the index that they reflect", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const read = (path: string) => cluster.on("n1", get(path))
      for (const customer of ["bob", "ann", "ann", "cay"]) yield* cluster.on("n1", place(customer))
      const whole = yield* read("/api/_projections/history")
      assert.deepStrictEqual([whole.status, whole.body.length], [200, 4])
      const { body, index } = yield* read("/api/_projections/spent?key=ann")
      assert.deepStrictEqual(body, { orders: 2, cents: 2 })
      assert.strictEqual(index, whole.index)
      const first = yield* read("/api/_projections/spent?limit=2")
      assert.deepStrictEqual(
        first.body.items.map(({ key }: { key: string }) => key),
        ["ann", "bob"]
      )
      const second = yield* read(`/api/_projections/spent?limit=2&cursor=${encodeURIComponent(first.body.next)}`)
      assert.deepStrictEqual(second.body, { items: [{ key: "cay", value: { orders: 1, cents: 1 } }], next: null })
      assert.include(first.link, encodeURIComponent(first.body.next))
      assert.isUndefined(second.link)
      const absent = yield* read("/api/_projections/spent?key=dan")
      assert.deepStrictEqual([absent.status, absent.body.type], [404, "urn:lithair:problem:not-found"])
    }).pipe(provide)
  )

  it.effect("go on past a key that is longer than any name, and show and find it by its name", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const long = "x".repeat(4_000)
      for (const customer of ["ann", long]) yield* cluster.on("n1", place(customer))
      const { body } = yield* cluster.on("n1", get("/api/_projections/spent"))
      const [, { key, value }] = body.items
      assert.deepStrictEqual([key.length, value.orders], [512, 1])
      for (const asked of [key, long]) {
        assert.deepStrictEqual((yield* cluster.on("n1", get(`/api/_projections/spent?key=${asked}`))).body, value)
      }
    }).pipe(provide)
  )

  it.effect("refuse unknown and repeated parameters, and say when they have failed", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const read = (path: string) => cluster.on("n1", get(`/api/_projections${path}`))
      for (const query of [
        "?key=a",
        "/spent?keys=a",
        "/spent?key=a&key=b",
        "/spent?key=a&limit=1",
        "/spent?limit=1001",
        "/spent?cursor=x",
        "/history?key=a",
        "/history?consistency=local&consistency=local"
      ]) {
        const { body, status } = yield* read(query)
        assert.deepStrictEqual([query, status, body.type], [query, 400, "urn:lithair:problem:invalid-request"])
      }
      yield* cluster.on("n1", place("mallory"))
      const { body, status } = yield* read("/faulty")
      assert.deepStrictEqual(
        [status, body.type, body.projection],
        [503, "urn:lithair:problem:projection-failed", "faulty"]
      )
      const { items } = (yield* read("")).body
      assert.deepStrictEqual(
        items.map(({ name, state }: Record<string, string>) => `${name} ${state}`),
        ["spent following", "history following", "faulty failed"]
      )
    }).pipe(provide)
  )

  it.effect("let others have their turn while a page is encoded", () =>
    Effect.gen(function* () {
      const notes = Projection.make("notes", {
        from: [Order],
        version: 1,
        state: Schema.Array(Schema.Int),
        initial: [],
        key: ({ id }) => id,
        evolve: (state) => state
      })
      const items = Array.from({ length: 1_000 }, (_, at) => ({
        key: String(at),
        state: Array.from({ length: 700 }, () => at)
      }))
      // biome-ignore lint/suspicious/noExplicitAny: it is asked for nothing else.
      const projections: any = { page: () => Effect.succeed({ value: { items, hasMore: false }, logIndex: 1 }) }
      // biome-ignore lint/suspicious/noExplicitAny: nothing of it is asked where no rule holds.
      const open: any = { policy: undefined }
      // What an Effect that is a route's asks for is known to the router alone.
      const handler = projectionRoutes(projections, [notes], mayReadOf(open))[1]?.handler as Effect.Effect<
        HttpServerResponse.HttpServerResponse,
        unknown,
        HttpServerRequest.HttpServerRequest
      >
      let turnsCount = 0
      const request = HttpServerRequest.fromWeb(new Request("http://n1/api/_projections/notes?limit=1000"))
      const turn = Effect.sync(() => void turnsCount++)
      const response = yield* handler.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.provideService(Turn, turn)
      )
      const body = JSON.parse(yield* Effect.promise(() => HttpServerResponse.toWeb(response).text()))
      assert.lengthOf(body.items, 1_000)
      assert.isAbove(turnsCount, 50)
    })
  )
})

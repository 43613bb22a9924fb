/** Live queries on a cluster inside a test, over its routes: docs/live.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Member } from "../../src/Cluster/Member.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { eventsOf, type Told } from "../support/EventStream.ts"

class Product extends Model.Class<Product>("Product")(
  { id: Model.id(Schema.String), group: Model.replicate(Schema.String), rank: Schema.Int },
  { indexes: ["group"] }
) {}

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.NonEmptyString),
  draft: Model.local(Schema.String)
}) {}

class View extends Model.Class<View>("View")({ id: Model.id(Schema.String), html: Schema.String }, { mode: "local" }) {}

const provide = Effect.provide(TestCluster.layer({ models: [Product, User, View] }))

interface Item {
  readonly id: string
  readonly version: number
  readonly record: Readonly<Record<string, unknown>>
  readonly after?: string | null
}

interface Data {
  readonly key?: string
  readonly index: number
  readonly staleMs?: number
  readonly items?: ReadonlyArray<Item>
  readonly put?: ReadonlyArray<Item>
  readonly remove?: ReadonlyArray<string>
  readonly next?: string | null
  readonly problem?: Readonly<Record<string, unknown>>
}

/** Opens a stream, and returns how to take its events one after another. */
const open = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
  const queue = yield* Queue.unbounded<Told<Data>>()
  const fiber = yield* Effect.forkScoped(Stream.runForEach(eventsOf<Data>(request), (told) => Queue.offer(queue, told)))
  return { take: Queue.take(queue), close: Fiber.interrupt(fiber) }
})

const several = (queries: Readonly<Record<string, unknown>>, query = "") =>
  HttpClientRequest.bodyText(
    HttpClientRequest.post(`/api/_live${query}`),
    JSON.stringify({ queries }),
    "application/json"
  )

const records = <M extends typeof Product | typeof User | typeof View>(model: M) =>
  Effect.map(Repository.Repository, ({ records }) => records(model))

const statusOf = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.flatMap(HttpClient.execute(request), (response) =>
    Effect.map(response.json, (body) => ({
      status: response.status,
      body: body as { readonly errors?: ReadonlyArray<{ path: string }> }
    }))
  )

describe("live queries of a cluster", () => {
  it.effect("a page comes first, then what comes into it, moves in it and leaves it", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n2",
        Effect.gen(function* () {
          const { create, delete: remove, patch } = yield* records(Product)
          yield* create({ id: "b", group: "x", rank: 2 })
          const { take } = yield* open(HttpClientRequest.get("/api/products/live?group=eq.x&order=rank.asc&limit=2"))
          const page = yield* take
          assert.deepStrictEqual(
            [page.event, page.data.items, page.data.next, page.id],
            ["page", [{ id: "b", version: 1, record: { id: "b", group: "x", rank: 2 } }], null, String(page.data.index)]
          )
          yield* create({ id: "a", group: "x", rank: 1 })
          const came = yield* take
          assert.deepStrictEqual(
            [came.event, came.data.put, came.data.remove],
            ["diff", [{ id: "a", version: 1, record: { id: "a", group: "x", rank: 1 }, after: null }], []]
          )
          yield* create({ id: "c", group: "y", rank: 0 })
          yield* patch("a", { rank: 3 })
          const moved = yield* take
          assert.deepStrictEqual(
            moved.data.put?.map(({ after, id, version }) => [id, version, after]),
            [["a", 2, "b"]]
          )
          yield* remove("b")
          const gone = yield* take
          assert.deepStrictEqual([gone.data.put, gone.data.remove], [[], ["b"]])
          assert.isAbove(gone.data.index, moved.data.index)
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("several queries share a stream, of replicated, mixed and local models", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n1",
        Effect.gen(function* () {
          const { take } = yield* open(
            several({ products: "/api/products", users: "/api/users?select=id,draft", views: "/api/views?limit=1" })
          )
          const pages = [yield* take, yield* take, yield* take]
          assert.deepStrictEqual(
            pages.map(({ data, event }) => [event, data.key, data.items]),
            ["products", "users", "views"].map((key) => ["page", key, []])
          )
          yield* (yield* records(View)).create({ id: "v", html: "<p>" })
          assert.deepStrictEqual(
            (yield* take).data.put?.map(({ id }) => id),
            ["v"]
          )
          const { create, patch } = yield* records(User)
          yield* create({ id: "u", email: "a@b", draft: "one" })
          let user = yield* take
          // The node's own part comes after the cluster's.
          while (user.data.put?.[0]?.record.draft === undefined) user = yield* take
          assert.deepStrictEqual([user.data.key, user.data.put[0].record], ["users", { id: "u", draft: "one" }])
          yield* patch("u", { draft: "two" })
          assert.deepStrictEqual(
            (yield* take).data.put?.map(({ record, version }) => [record.draft, version]),
            [["two", 1]]
          )
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("a bookmark comes when nothing changes, and its index moves with changes elsewhere", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n3",
        Effect.gen(function* () {
          const { take } = yield* open(HttpClientRequest.get("/api/products/live"))
          const page = yield* take
          yield* (yield* records(User)).create({ id: "u", email: "a@b", draft: "" })
          const bookmark = yield* take
          assert.strictEqual(bookmark.event, "bookmark")
          assert.isAbove(bookmark.data.index, page.data.index)
          assert.isBelow(bookmark.data.staleMs!, 5_000)
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("a client that moves to a node that lags waits for what it has seen", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const index = yield* on(
        "n1",
        Effect.gen(function* () {
          yield* (yield* records(Product)).create({ id: "a", group: "x", rank: 1 })
          const { take } = yield* open(HttpClientRequest.get("/api/products/live"))
          return (yield* take).data.index
        }).pipe(Effect.scoped)
      )
      for (const node of ["n2", "n3"]) {
        yield* on(
          node,
          Effect.gen(function* () {
            const { take } = yield* open(
              HttpClientRequest.setHeader(
                HttpClientRequest.get("/api/products/live?consistency=local"),
                "last-event-id",
                String(index)
              )
            )
            const page = yield* take
            assert.isAtLeast(page.data.index, index)
            assert.deepStrictEqual(
              page.data.items?.map(({ id }) => id),
              ["a"]
            )
          }).pipe(Effect.scoped)
        )
      }
    }).pipe(provide)
  )

  it.effect("a query that no list would take is refused, with the place of what is wrong", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n1",
        Effect.gen(function* () {
          const places = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
            const { body, status } = yield* statusOf(request)
            return [status, body.errors?.map(({ path }) => path)]
          })
          const get = (query: string) => places(HttpClientRequest.get(`/api/products/live${query}`))
          assert.deepStrictEqual(yield* get("?count=exact"), [400, ["count"]])
          assert.deepStrictEqual(yield* get("?color=eq.red"), [400, ["color"]])
          assert.deepStrictEqual(
            yield* places(
              HttpClientRequest.setHeader(HttpClientRequest.get("/api/products/live"), "last-event-id", "x")
            ),
            [400, ["Last-Event-ID"]]
          )
          assert.deepStrictEqual(yield* places(several({ "c d": "/api/products" })), [400, ["queries.c d"]])
          const { take } = yield* open(
            several({
              a: "/api/products",
              b: "/api/nothing",
              c: "/api/views?limit=0",
              d: "/api/products?consistency=local",
              e: 1
            })
          )
          const told = [yield* take, yield* take, yield* take, yield* take, yield* take]
          const errorsOf = ({ data }: Told<Data>) =>
            (data.problem?.errors as ReadonlyArray<{ path: string }> | undefined)?.[0]?.path
          assert.deepStrictEqual(
            told.map((each) => [each.event, each.data.key, each.data.problem?.status, errorsOf(each)]),
            [
              ["ended", "b", 404, undefined],
              ["ended", "c", 400, "limit"],
              ["ended", "d", 400, "consistency"],
              ["ended", "e", 400, undefined],
              ["page", "a", undefined, undefined]
            ]
          )
          const none = yield* open(several({ a: "/api/nothing" }))
          assert.deepStrictEqual([(yield* none.take).event, (yield* none.take).event], ["ended", "end"])
          assert.deepStrictEqual(yield* places(several({})), [400, ["queries"]])
          const many = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, "/api/products"]))
          assert.deepStrictEqual(yield* places(several(many)), [400, ["queries"]])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("a node that drains ends its streams, so that clients move on", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n2",
        Effect.gen(function* () {
          const { take } = yield* open(HttpClientRequest.get("/api/products/live"))
          yield* take
          yield* Effect.forkScoped((yield* Member).drain)
          const told = yield* take
          assert.deepStrictEqual([told.event, told.data.problem?.type], ["end", "urn:lithair:problem:draining"])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )
})

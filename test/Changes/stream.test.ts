/** Streams of committed changes on a cluster inside a test: docs/http.md, "Changes". */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Http from "../../src/Http.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { eventsOf, type Told } from "../support/EventStream.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Model.replicate(Schema.NonEmptyString)
}) {}

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.NonEmptyString),
  draft: Model.local(Schema.String)
}) {}

class View extends Model.Class<View>("View")({ id: Model.id(Schema.String), html: Schema.String }, { mode: "local" }) {}

const provide = Effect.provide(TestCluster.layer({ models: [Product, User, View] }))

interface Data {
  readonly index: number
  readonly at?: string
  readonly model?: string
  readonly id?: string
  readonly version?: number
  readonly record?: Readonly<Record<string, unknown>>
  readonly staleMs?: number
  readonly initialEnd?: true
  readonly problem?: Readonly<Record<string, unknown>>
}

/** The events of a stream, as they come. */
const events = (path: string, lastEventId?: string) =>
  eventsOf<Data>(
    HttpClientRequest.get(path).pipe(
      lastEventId === undefined ? (it) => it : HttpClientRequest.setHeader("last-event-id", lastEventId)
    )
  )

const isChange = ({ event }: Told<Data>) => event !== "bookmark"

const take = (count: number, path: string, id?: string) =>
  Stream.runCollect(Stream.take(Stream.filter(events(path, id), isChange), count))

/** The status of an answer that is no stream, and its problem. */
const ask = (path: string) =>
  Effect.flatMap(HttpClient.get(path), ({ json, status }) =>
    Effect.map(json, (body) => [status, (body as { readonly type?: unknown }).type] as const)
  )

const products = Effect.map(Repository.Repository, ({ records }) => records(Product))

describe("the stream of changes", () => {
  it.effect("tells each committed change once, in order, with its record", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const told = yield* on(
        "n2",
        Effect.gen(function* () {
          const { create, delete: remove, patch } = yield* products
          yield* create({ id: "a", name: "Anvil" })
          yield* patch("a", { name: "Hammer" })
          yield* remove("a")
          return yield* take(3, "/api/products/changes?after=0")
        })
      )
      assert.deepStrictEqual(
        told.map(({ data, event }) => [event, data.model, data.id, data.version, data.record?.name]),
        [
          ["created", "Product", "a", 1, "Anvil"],
          ["updated", "Product", "a", 2, "Hammer"],
          ["deleted", "Product", "a", 3, "Hammer"]
        ]
      )
      for (const { data, id } of told) assert.strictEqual(id, `${data.index}.0`)
    }).pipe(provide)
  )

  it.effect("goes on by its last id on any node, also on one that has not applied it yet", () =>
    Effect.gen(function* () {
      const { heal, leader, nodes, on, partition } = yield* TestCluster
      const leading = yield* leader
      const [behind = ""] = nodes.filter((node) => node !== leading)
      yield* partition([behind])
      const write = Effect.flatMap(products, ({ create }) =>
        Effect.forEach(["a", "b"], (id) => create({ id, name: id }))
      )
      yield* on(leading, write)
      const [first] = yield* on(leading, take(1, "/api/products/changes?after=0"))
      const last = yield* on(
        leading,
        Effect.map(take(2, "/api/products/changes?after=0"), (told) => told[1]!.id!)
      )
      // Without a quorum the node cannot know whether there is such an entry.
      const refused = yield* on(behind, ask(`/api/products/changes?after=${last}`))
      assert.deepStrictEqual(refused, [503, "urn:lithair:problem:no-quorum"])
      yield* heal
      const [second] = yield* on(behind, take(1, "/api/products/changes?after=0", first!.id))
      assert.deepInclude(second!.data, { id: "b" })
      const begun = yield* on(behind, Stream.runCollect(Stream.take(events(`/api/products/changes?after=${last}`), 1)))
      assert.deepInclude(begun[0], { event: "bookmark", id: last })
    }).pipe(provide)
  )

  it.effect("tells each change once to a follower that moves while leaders crash", () =>
    Effect.gen(function* () {
      const { crash, leader, nodes, on, restart, settle } = yield* TestCluster
      const seen: Array<Told<Data>> = []
      const written: Array<string> = []
      for (let round = 0; round < 9; round++) {
        const leading = yield* leader
        yield* on(
          leading,
          Effect.flatMap(products, ({ createAll }) => {
            const ids = Array.from({ length: 1 + (round % 3) }, (_, at) => `r${round}-${at}`)
            written.push(...ids)
            return createAll(ids.map((id) => ({ id, name: id })))
          })
        )
        const node = nodes[round % nodes.length]!
        const missing = written.length - seen.length
        const after = seen.at(-1)?.id ?? "0"
        seen.push(
          ...(yield* on(node, take(missing > 1 ? missing - 1 : missing, `/api/products/changes?after=${after}`)))
        )
        if (round % 2 === 1) {
          yield* crash(leading)
          yield* leader
          yield* restart(leading)
          yield* settle
        }
      }
      const rest = written.length - seen.length
      if (rest > 0) seen.push(...(yield* on("n2", take(rest, `/api/products/changes?after=${seen.at(-1)!.id}`))))
      assert.deepStrictEqual(
        seen.map(({ data }) => data.id),
        written
      )
    }).pipe(provide)
  )

  it.effect("sends a bookmark at least every 15 s, which moves on although nothing matches", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const write = Effect.flatMap(Repository.Repository, ({ records }) =>
        records(User).create({ id: "u", email: "e", draft: "" })
      )
      const told = yield* on(
        "n2",
        Effect.gen(function* () {
          const times: Array<number> = []
          const timeMs = Clock.currentTimeMillis
          const bookmarks = yield* events("/api/products/changes").pipe(
            Stream.tap(() =>
              Effect.gen(function* () {
                times.push(yield* timeMs)
                if (times.length === 1) yield* write
              })
            ),
            Stream.take(4),
            Stream.runCollect
          )
          for (const [at, time] of times.entries()) {
            if (at > 0) assert.isAtMost(time - times[at - 1]!, 15_000)
          }
          return bookmarks
        })
      )
      assert.deepStrictEqual(
        told.map(({ event }) => event),
        ["bookmark", "bookmark", "bookmark", "bookmark"]
      )
      assert.isAbove(told[1]!.data.index, told[0]!.data.index)
      for (const { data, id } of told) {
        assert.strictEqual(id, String(data.index))
        assert.isAtMost(data.staleMs ?? Number.POSITIVE_INFINITY, 1_000)
      }
    }).pipe(provide)
  )

  it.effect("is of several models by their paths, and refuses what it does not know", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* on(
        "n1",
        Effect.gen(function* () {
          const { records } = yield* Repository.Repository
          yield* records(User).create({ id: "u", email: "e", draft: "mine" })
          yield* records(Product).create({ id: "p", name: "Anvil" })
          const told = yield* take(2, "/api/_changes?models=users,products&after=0")
          assert.deepStrictEqual(
            told.map(({ data }) => [data.model, data.record]),
            [
              ["User", { id: "u", email: "e" }],
              ["Product", { id: "p", name: "Anvil" }]
            ]
          )
          // A client that comes back sends its URL again, and the id says more.
          const again = yield* take(1, "/api/_changes?models=users,products&initial=true", told[0]!.id)
          assert.deepStrictEqual([again[0]!.event, again[0]!.data.model], ["created", "Product"])
          const state = yield* take(2, "/api/_changes?models=users,products&initial=true")
          assert.deepStrictEqual(
            state.map(({ data, event }) => [event, data.model, data.id]),
            [
              ["record", "Product", "p"],
              ["record", "User", "u"]
            ]
          )
          const wrong = [
            "/api/_changes",
            "/api/_changes?models=",
            "/api/_changes?models=products,products",
            "/api/_changes?models=views",
            "/api/products/changes?models=products",
            "/api/products/changes?after=x",
            "/api/products/changes?after=",
            "/api/products/changes?after=1&after=2",
            "/api/products/changes?initial=yes",
            "/api/products/changes?initial=true&after=1"
          ]
          // Another node may serve it, as in a rolling upgrade.
          assert.deepStrictEqual(yield* ask("/api/_changes?models=products,nowhere"), [
            404,
            "urn:lithair:problem:not-found"
          ])
          for (const path of wrong) {
            assert.deepStrictEqual([path, ...(yield* ask(path))], [path, 400, "urn:lithair:problem:invalid-request"])
          }
        })
      )
    }).pipe(provide)
  )

  it.effect("says where to start over, with the prefix of its API", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const met = yield* on(
        "n1",
        Effect.flatMap(HttpClient.get("/v1/api/products/changes?after=100000"), ({ json }) => json)
      )
      assert.deepInclude(met, { status: 410, restart: "/v1/api/products/changes?initial=true", oldestIndex: 1 })
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [Product], routes: Layer.mergeAll(Http.layerApi({ prefix: "/v1" })), size: 1 })
      )
    )
  )
})

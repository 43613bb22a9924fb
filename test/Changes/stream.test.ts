/** Streams of committed changes on a cluster inside a test: docs/http.md, "Changes". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

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

interface Told {
  readonly id: string | undefined
  readonly event: string
  readonly data: Data
}

/** The events of a stream, as they come. */
const events = (path: string, lastEventId?: string): Stream.Stream<Told, unknown, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.map(
      HttpClient.execute(
        HttpClientRequest.get(path).pipe(
          lastEventId === undefined ? (it) => it : HttpClientRequest.setHeader("last-event-id", lastEventId)
        )
      ),
      (response) => {
        assert.strictEqual(response.status, 200)
        assert.strictEqual(response.headers["content-type"], "text/event-stream")
        return response.stream.pipe(Stream.decodeText, Stream.pipeThroughChannel(Sse.decode()))
      }
    )
  ).pipe(Stream.map(({ data, event, id }) => ({ id, event, data: JSON.parse(data) })))

const isChange = ({ event }: Told) => event !== "bookmark"

const take = (count: number, path: string, id?: string) =>
  Stream.runCollect(Stream.take(Stream.filter(events(path, id), isChange), count))

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
})

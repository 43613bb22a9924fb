/** A client with live queries over nodes that do what they are told: where it goes, and what the program sees of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import * as LiveView from "../../src/Client/LiveView.ts"
import * as Client from "../../src/Client.ts"
import { codecsOf } from "../../src/Model/RowCodecs.ts"
import * as Model from "../../src/Model.ts"
import { type Reply, type Request, serve } from "./ScriptedNodes.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Model.replicate(Schema.String)
}) {}

const item = (id: string, version: number, after?: string | null) => ({
  id,
  version,
  record: { id, name: `${id}${version}` },
  ...(after === undefined ? {} : { after })
})

const event = (name: string, index: number, data: object): string =>
  `id: ${index}\nevent: ${name}\ndata: ${JSON.stringify({ index, ...data })}\n\n`

const page = (key: string, index: number, ...items: ReadonlyArray<object>) =>
  event("page", index, { key, items, next: null })

/** Streams some text, and then leaves the stream open or ends it. */
const streaming =
  (text: string, isOver: boolean): Reply =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "lithair-node": "n" })
    response.write(text, () => {
      // Bun would lose the text with the connection.
      if (isOver) response.end()
    })
  }

const keysOf = ({ body }: Request) => Object.keys(JSON.parse(body).queries)

describe("a client with live queries", () => {
  it("gives no page before it has one, although its stream tells how far it is", () => {
    const view = LiveView.make(codecsOf(Product))
    view.take({ type: "bookmark", index: 5, staleMs: 0 })
    assert.isFalse(view.isNews())
    view.take({ type: "page", index: 7, staleMs: 0, items: [item("a", 1)], next: null })
    assert.isTrue(view.isNews())
    const page = Result.getOrThrow(view.give())
    assert.deepStrictEqual([page.items.length, page.logIndex], [1, 7])
    view.take({ type: "bookmark", index: 8, staleMs: 0 })
    assert.isTrue(view.isNews())
  })

  it.live("turns the page of the next node into a difference, and never asks for an older one", () =>
    Effect.gen(function* () {
      // What the program has not taken yet would gather.
      const { promise: isTaken, resolve: taken } = Promise.withResolvers<void>()
      const { nodes, requests } = yield* serve(2, (request, before) => {
        const key = keysOf(request)[0]!
        return before === 0
          ? streaming(
              page(key, 7, item("a", 1), item("b", 1)) +
                event("diff", 9, { key, put: [item("c", 1, "a")], remove: ["b"], next: null }),
              true
            )
          : (response) => {
              const next = streaming(page(key, 9, item("a", 2), item("c", 1), item("d", 1)), false)
              void isTaken.then(() => typeof next === "function" && next(response))
            }
      })
      const { records } = yield* Client.make({ nodes })
      const pages = yield* records(Product)
        .live()
        .pipe(
          Stream.tap(({ logIndex }) => Effect.sync(() => logIndex === 9 && taken())),
          Stream.takeUntil(({ items }) => items.length === 3),
          Stream.runCollect
        )
      const last = pages[pages.length - 1]!
      assert.deepStrictEqual(
        [last.items.map(({ row }) => row.name), last.put.map(({ row }) => row.name), last.logIndex],
        [["a2", "c1", "d1"], ["a2", "d1"], 9]
      )
      assert.deepStrictEqual(
        requests.slice(0, 2).map(({ at, headers, url }) => [at, url, headers["last-event-id"]]),
        [
          [0, "/api/_live", undefined],
          [1, "/api/_live", "9"]
        ]
      )
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )

  it.live("asks for all queries on one stream, and tells each its own end", () =>
    Effect.gen(function* () {
      const { nodes, requests } = yield* serve(1, (request) => {
        const [first, second] = keysOf(request) as [string, string]
        const problem = { type: "urn:lithair:problem:record-unreadable", status: 503, title: "t", detail: "It is" }
        return streaming(
          `${page(first, 3, item("a", 1))}event: ended\ndata: ${JSON.stringify({ key: second, problem })}\n\n`,
          false
        )
      })
      const { records } = yield* Client.make({ nodes })
      const right = records(Product).live().pipe(Stream.take(1), Stream.runCollect)
      const wrong = Effect.flip(Stream.runDrain(records(Product).live({ limit: 1 })))
      const [pages, failure] = yield* Effect.all([right, wrong], { concurrency: 2 })
      assert.deepStrictEqual(
        pages[0]?.items.map(({ row }) => row.id),
        ["a"]
      )
      assert.deepInclude(failure, { kind: "record-unreadable" })
      assert.deepStrictEqual(
        requests.map(({ body }) => Object.values(JSON.parse(body).queries)),
        [["/api/products?versions=true", "/api/products?limit=1&versions=true"]]
      )
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )

  it.live("a program that takes its time gets one page for many differences", () =>
    Effect.gen(function* () {
      const many = 200
      const { nodes } = yield* serve(1, (request) => {
        const key = keysOf(request)[0]!
        const diffs = Array.from({ length: many }, (_, at) =>
          event("diff", at + 2, { key, put: [item("a", at + 2, null)], remove: [], next: null })
        )
        return streaming(page(key, 1, item("a", 1)) + diffs.join(""), false)
      })
      const { records } = yield* Client.make({ nodes })
      let pages = 0
      yield* records(Product)
        .live()
        .pipe(
          Stream.tap(() => Effect.sync(() => void pages++)),
          Stream.takeUntil(({ items }) => items[0]?.version === many + 1),
          Stream.runDrain
        )
      assert.isBelow(pages, many / 2)
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )
})

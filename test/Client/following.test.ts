/** A client that follows changes over nodes that do what they are told: where it goes, and where it goes on. */
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as Client from "../../src/Client.ts"
import * as Model from "../../src/Model.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"
import * as Repository from "../../src/Repository.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Model.replicate(Schema.String)
}) {}

interface Asked {
  readonly at: number
  readonly url: string
}

/** Servers that answer by `reply`, which gets the number of requests before. */
const serve = Effect.fnUntraced(function* (
  count: number,
  reply: (asked: Asked, before: number, response: ServerResponse) => void
) {
  const requests: Array<Asked> = []
  const { changed, until } = Condition.make()
  const start = (at: number) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer((request, response) => {
          const asked = { at, url: request.url ?? "" }
          reply(asked, requests.push(asked) - 1, response)
          changed()
        })
        server.listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as { readonly port: number }).port}`))
  const nodes = yield* Effect.forEach(Array.from({ length: count }), (_, at) => start(at))
  return { nodes: nodes as unknown as [string, ...Array<string>], requests, until }
})

const begin = (response: ServerResponse): void =>
  void response.writeHead(200, { "content-type": "text/event-stream", "lithair-node": "n" }).flushHeaders()

const change = (index: number): string =>
  `id: ${index}.0\nevent: created\ndata: ${JSON.stringify({
    index,
    at: "2026-02-01T10:00:00.000Z",
    model: "Product",
    id: `p${index}`,
    version: 1,
    record: { id: `p${index}`, name: `N${index}` }
  })}\n\n`

const bookmark = (index: number): string => `id: ${index}\nevent: bookmark\ndata: {"index":${index}}\n\n`

const problemOf = (kind: string, status: number, members = {}) => ({
  ...members,
  type: `urn:lithair:problem:${kind}`,
  status,
  title: kind,
  detail: `It is ${kind}`
})

const refuse = (response: ServerResponse, kind: string, status: number, members = {}): void => {
  response.writeHead(status, { "content-type": "application/problem+json", "lithair-node": "n" })
  response.end(JSON.stringify(problemOf(kind, status, members)))
}

const end = (kind: string, status: number): string =>
  `event: end\ndata: ${JSON.stringify({ problem: problemOf(kind, status) })}\n\n`

const follow = (nodes: readonly [string, ...Array<string>], options?: Repository.ChangesOptions) =>
  Stream.unwrap(
    Effect.map(Client.make({ nodes, timeoutMs: 3_000 }), ({ records }) => records(Product).changes(options))
  ).pipe(
    Stream.filter(({ type }) => type !== "bookmark"),
    Stream.map(({ position }) => position)
  )

const take = (count: number, ...asked: Parameters<typeof follow>) =>
  Stream.runCollect(Stream.take(follow(...asked), count)).pipe(Effect.provide(FetchHttpClient.layer))

const afters = (requests: ReadonlyArray<Asked>) =>
  requests.map(({ at, url }) => `${at}: ${new URL(url, "http://a").search}`)

describe("a client that follows changes", () => {
  it.live("moves to the next node where its node breaks off, and goes on after the last event", () =>
    Effect.gen(function* () {
      const { nodes, requests } = yield* serve(3, ({ url }, before, response) => {
        begin(response)
        const first = Number.parseInt(new URL(url, "http://a").searchParams.get("after") ?? "", 10) + 1
        const indexes = Array.from({ length: before < 3 ? 3 : 12 }, (_, at) => first + at)
        response.write(bookmark(first - 1) + indexes.map(change).join(""), () => {
          if (before === 0) response.socket?.destroy()
          else if (before === 1) response.end()
          else if (before === 2) response.end(bookmark(first + 2) + end("draining", 503))
        })
      })
      const told = yield* take(12, nodes, { after: "0" })
      assert.deepStrictEqual(
        told,
        Array.from({ length: 12 }, (_, at) => `${at + 1}.0`)
      )
      // On Bun a client loses what it has not read of a connection that was reset, and asks for it again.
      if ("Bun" in globalThis) return
      assert.deepStrictEqual(afters(requests), ["0: ?after=0", "1: ?after=3.0", "2: ?after=6.0", "0: ?after=9"])
    })
  )

  it.live("takes nothing of an event that has not come whole", () =>
    Effect.gen(function* () {
      const { nodes, requests } = yield* serve(2, (_, before, response) => {
        begin(response)
        // All but the empty line that ends an event, in pieces as they may come.
        const text = before === 0 ? change(1) + change(2).slice(0, -1) : change(2)
        response.write(text.slice(0, 20), () => {
          response.write(text.slice(20), () => {
            if (before === 0) response.end()
          })
        })
      })
      assert.deepStrictEqual(yield* take(2, nodes, { after: "0" }), ["1.0", "2.0"])
      assert.deepStrictEqual(afters(requests), ["0: ?after=0", "1: ?after=1.0"])
    })
  )

  it.effect("leaves a node that has said nothing for 30 s, and not one that sends bookmarks", () =>
    Effect.gen(function* () {
      let first: ServerResponse | undefined
      const { nodes, requests, until } = yield* serve(2, (_, before, response) => {
        begin(response)
        response.write(before === 0 ? change(1) : change(2))
        first ??= response
      })
      const { records } = yield* Client.make({ nodes })
      const seen: Array<string> = []
      const { changed, until: untilSeen } = Condition.make()
      yield* Effect.forkChild(
        Stream.runForEach(records(Product).changes({ after: "0" }), ({ position }) =>
          Effect.sync(() => {
            seen.push(position)
            changed()
          })
        )
      )
      yield* untilSeen(() => seen.length === 1)
      yield* TestClock.adjust("20 seconds")
      first?.write(bookmark(1))
      yield* untilSeen(() => seen.length === 2)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(requests.length, 1)
      yield* TestClock.adjust("11 seconds")
      yield* until(() => requests.length === 2)
      yield* untilSeen(() => seen.length === 3)
      assert.deepStrictEqual(seen, ["1.0", "1", "2.0"])
      assert.deepStrictEqual(afters(requests), ["0: ?after=0", "1: ?after=1"])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("asks each node before it says that changes are gone, since one may have kept more", () =>
    Effect.gen(function* () {
      const gone = { oldestIndex: 7, restart: "/api/products/changes?initial=true" }
      const { nodes, requests } = yield* serve(2, ({ at }, _, response) => {
        if (at === 0) return refuse(response, "changes-gone", 410, gone)
        begin(response)
        response.write(change(2))
      })
      assert.deepStrictEqual(yield* take(1, nodes, { after: "1" }), ["2.0"])
      const [first] = nodes
      const met = yield* Effect.flip(take(1, [first, first], { after: "1" }))
      assert.isTrue(Repository.isProblem(met, "changes-gone"))
      assert.deepInclude(met as object, { members: gone })
      assert.strictEqual(requests.length, 4)
    })
  )

  it.live("waits where a node still counts streams of its own that are gone", () =>
    Effect.gen(function* () {
      const { nodes } = yield* serve(1, (_, before, response) => {
        if (before < 2) refuse(response, "too-many-requests", 429, { definite: true, limit: "streams" })
        else {
          begin(response)
          response.write(change(2))
        }
      })
      assert.deepStrictEqual(yield* take(1, nodes, { after: "1" }), ["2.0"])
    })
  )

  it.live("waits where no node can tell whether its credential is good, as while there is no leader", () =>
    Effect.gen(function* () {
      const { nodes } = yield* serve(2, (_, before, response) => {
        if (before < 4) refuse(response, "auth-unavailable", 503, { definite: true })
        else {
          begin(response)
          response.write(change(2))
        }
      })
      assert.deepStrictEqual(yield* take(1, nodes, { after: "1" }), ["2.0"])
    })
  )

  it.live("asks a node again that was about to stop before it says that changes are gone", () =>
    Effect.gen(function* () {
      const gone = { oldestIndex: 7, restart: "/api/products/changes?initial=true" }
      const { nodes } = yield* serve(3, ({ at, url }, before, response) => {
        if (at > 0) refuse(response, "changes-gone", 410, gone)
        else if (before === 0 || url.includes("after=0")) refuse(response, "draining", 503, { definite: true })
        else {
          begin(response)
          response.write(change(2))
        }
      })
      assert.deepStrictEqual(yield* take(1, nodes, { after: "1" }), ["2.0"])
      // In the end the refusals of the others count.
      assert.isTrue(Repository.isProblem(yield* Effect.flip(take(1, nodes, { after: "0" })), "changes-gone"))
    })
  )

  it.live("fails at once where its request makes no sense, and in time where no node answers", () =>
    Effect.gen(function* () {
      const { nodes, requests } = yield* serve(2, ({ url }, _, response) => {
        if (url.includes("after=x")) refuse(response, "invalid-request", 400)
        else response.writeHead(200, { "content-type": "text/html" }).end("<p>")
      })
      const wrong = yield* Effect.flip(take(1, nodes, { after: "x" }))
      assert.isTrue(Repository.isProblem(wrong, "invalid-request"))
      assert.strictEqual(requests.length, 1)
      assert.strictEqual((yield* Effect.flip(take(1, nodes, { after: "1" })))._tag, "NoAnswer")
    })
  )
})

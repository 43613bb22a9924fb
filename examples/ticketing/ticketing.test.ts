/** The application with its own routes, on a cluster of three inside a test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestCluster } from "lithair/testing"
import { application, routes } from "./application.ts"
import { Mailer } from "./confirmation.ts"
import { handlers } from "./handlers.ts"

const showId = "00000000-0000-4000-8000-000000000001"

const post = (path: string, token: string, body: unknown, key?: string) =>
  HttpClientRequest.post(path).pipe(
    HttpClientRequest.bearerToken(token),
    HttpClientRequest.setHeaders(key === undefined ? {} : { "idempotency-key": key }),
    HttpClientRequest.bodyJsonUnsafe(body),
    HttpClient.execute
  )

const get = (path: string, token = "token-of-ada") =>
  HttpClientRequest.get(path).pipe(HttpClientRequest.bearerToken(token), HttpClient.execute)

const openShow = (seats: number) =>
  post("/manage/api/shows", "token-of-the-organizer", { id: showId, title: "Hamlet", seats })

/** The cluster, and the mails that its reactions sent. */
const cluster = (mails: Array<string>) =>
  TestCluster.layer({ ...application, routes }).pipe(
    Layer.provide(handlers),
    Layer.provide(Layer.succeed(Mailer, { send: ({ to }) => Effect.sync(() => void mails.push(to)) }))
  )

describe("ticketing", () => {
  it.live("sells the last seat once, whichever nodes are asked", () =>
    Effect.gen(function* () {
      const { leader, nodes, on } = yield* TestCluster
      const first = yield* leader
      assert.strictEqual((yield* on(first, openShow(1))).status, 201)
      const buy = (node: string, token: string) => on(node, post("/tickets", token, { showId }))
      const statuses = yield* Effect.forEach(
        nodes.flatMap((node) => [buy(node, "token-of-ada"), buy(node, "token-of-bob")]),
        (bought) => Effect.map(bought, ({ status }) => status),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        statuses.toSorted((a, b) => a - b),
        [200, 409, 409, 409, 409, 409]
      )
    }).pipe(Effect.provide(cluster([])))
  )

  it.live("answers a copy of a request as the first one, also after the leader is gone, and mails the holder", () => {
    const mails: Array<string> = []
    return Effect.gen(function* () {
      const { advance, crash, leader, nodes, on, settle } = yield* TestCluster
      const first = yield* leader
      assert.strictEqual((yield* on(first, openShow(10))).status, 201)
      const bought = yield* on(
        first,
        Effect.flatMap(post("/tickets", "token-of-ada", { showId }, "order-1"), ({ json }) => json)
      )
      yield* crash(first)
      yield* settle
      const other = nodes.find((node) => node !== first) ?? ""
      const copy = yield* on(
        other,
        Effect.flatMap(post("/tickets", "token-of-ada", { showId }, "order-1"), ({ json }) => json)
      )
      assert.deepInclude(bought, { showId, holder: "ada" })
      assert.deepStrictEqual(copy, bought)
      assert.deepStrictEqual(
        yield* on(
          other,
          Effect.flatMap(get("/tickets"), ({ json }) => json)
        ),
        [bought]
      )
      yield* advance("1 second")
      assert.include(mails, "ada")
    }).pipe(Effect.provide(cluster(mails)))
  })

  it.live("keeps its statuses in its own API: 401 without a token, 403 for visitors, 503 without a quorum", () =>
    Effect.gen(function* () {
      const { on, partition } = yield* TestCluster
      assert.strictEqual((yield* on("n1", HttpClient.get("/tickets"))).status, 401)
      assert.strictEqual((yield* on("n1", get("/manage/api/shows"))).status, 403)
      assert.strictEqual((yield* on("n1", get("/"))).status, 200)
      yield* partition(["n1"])
      const refused = yield* on("n1", post("/tickets", "token-of-ada", { showId }))
      assert.deepStrictEqual(
        [refused.status, Option.getOrUndefined(Option.fromNullishOr(refused.headers["content-type"]))],
        [503, "application/problem+json"]
      )
    }).pipe(Effect.provide(cluster([])))
  )

  it.live(
    "shows a ticket to its owner and the organizer, and its code to nobody; keys of the organizer sign in too",
    () =>
      Effect.gen(function* () {
        const { on } = yield* TestCluster
        yield* on("n1", openShow(2))
        const json = (node: string, request: ReturnType<typeof get>) =>
          on(
            node,
            Effect.flatMap(request, ({ json }) => json)
          )
        const bought = (yield* json("n2", post("/tickets", "token-of-ada", { showId }))) as { readonly id: string }
        const tickets = (token: string) => json("n3", get("/manage/api/tickets?count=exact", token))
        const whole = { ...bought, ownerId: "ticketing|ada" }
        assert.deepStrictEqual(yield* tickets("token-of-ada"), { items: [whole], next: null, total: 1 })
        assert.deepStrictEqual(yield* tickets("token-of-the-organizer"), { items: [whole], next: null, total: 1 })
        assert.deepStrictEqual(yield* tickets("token-of-bob"), { items: [], next: null, total: 0 })
        assert.strictEqual((yield* on("n1", get(`/manage/api/tickets/${bought.id}`, "token-of-bob"))).status, 404)
        assert.strictEqual((yield* on("n1", get("/manage/api/tickets?code=like.*", "token-of-ada"))).status, 400)

        const made = HttpClientRequest.post("/_admin/api/keys").pipe(
          HttpClientRequest.bodyJsonUnsafe({ name: "box office" }),
          HttpClient.execute
        )
        const { key, principal } = (yield* json("n1", made)) as { readonly key: string; readonly principal: string }
        assert.deepInclude(yield* json("n2", post("/tickets", key, { showId })), { holder: principal })
      }).pipe(Effect.provide(cluster([])))
  )
})

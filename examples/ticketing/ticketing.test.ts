/** The application with its own routes, on a cluster of three inside a test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Cookies, HttpClient, HttpClientRequest } from "effect/http"
import * as jose from "jose"
import { TestCluster } from "lithair/testing"
import { application, routes } from "./application.ts"
import type { SignIn } from "./Caller.ts"
import { Mailer } from "./confirmation.ts"
import { handlers } from "./handlers.ts"

const showId = "00000000-0000-4000-8000-000000000001"

const origin = "http://127.0.0.1:8081"
const { privateKey, publicKey } = await jose.generateKeyPair("ES256")
const keys = { keys: [{ ...(await jose.exportJWK(publicKey)), alg: "ES256" }] }
const signIn: SignIn = { issuer: "https://login.example", keys, origins: [origin] }

/** A token of the issuer. */
const tokenOf = (name: string, groups: ReadonlyArray<string> = [], audience = "ticketing") =>
  new jose.SignJWT({ name, groups })
    .setProtectedHeader({ alg: "ES256" })
    .setIssuer(signIn.issuer)
    .setSubject(name)
    .setAudience(audience)
    // The clock of a cluster inside a test runs in a year to come.
    .setExpirationTime("10y")
    .sign(privateKey)

const ada = await tokenOf("ada")
const bob = await tokenOf("bob")
const organizer = await tokenOf("organizer", ["organizer"])
const door = await tokenOf("door", ["staff"])

const post = (path: string, token: string, body: unknown, key?: string) =>
  HttpClientRequest.post(path).pipe(
    HttpClientRequest.bearerToken(token),
    HttpClientRequest.setHeaders(key === undefined ? {} : { "idempotency-key": key }),
    HttpClientRequest.bodyJsonUnsafe(body),
    HttpClient.execute
  )

const get = (path: string, token = ada) =>
  HttpClientRequest.get(path).pipe(HttpClientRequest.bearerToken(token), HttpClient.execute)

const openShow = (seats: number, token = organizer) =>
  post("/manage/api/shows", token, { id: showId, title: "Hamlet", seats })

interface Mail {
  readonly to: string
  readonly text: string
}

/** The cluster, and the mails that its reactions sent. */
const cluster = (mails: Array<Mail>) =>
  TestCluster.layer({ ...application(signIn), routes: routes(signIn) }).pipe(
    Layer.provide(handlers),
    Layer.provide(Layer.succeed(Mailer, { send: (mail) => Effect.sync(() => void mails.push(mail)) }))
  )

describe("ticketing", () => {
  it.live("sells the last seat once, whichever nodes are asked", () =>
    Effect.gen(function* () {
      const { leader, nodes, on } = yield* TestCluster
      const first = yield* leader
      assert.strictEqual((yield* on(first, openShow(1))).status, 201)
      const buy = (node: string, token: string) => on(node, post("/tickets", token, { showId }))
      const statuses = yield* Effect.forEach(
        nodes.flatMap((node) => [buy(node, ada), buy(node, bob)]),
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
    const mails: Array<Mail> = []
    return Effect.gen(function* () {
      const { advance, crash, leader, nodes, on, settle } = yield* TestCluster
      const first = yield* leader
      assert.strictEqual((yield* on(first, openShow(10))).status, 201)
      const bought = yield* on(
        first,
        Effect.flatMap(post("/tickets", ada, { showId }, "order-1"), ({ json }) => json)
      )
      yield* crash(first)
      yield* settle
      const other = nodes.find((node) => node !== first) ?? ""
      const copy = yield* on(
        other,
        Effect.flatMap(post("/tickets", ada, { showId }, "order-1"), ({ json }) => json)
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
      assert.deepStrictEqual([...new Set(mails.map(({ to }) => to))], ["ada"])
    }).pipe(Effect.provide(cluster(mails)))
  })

  it.live("keeps its statuses in its own API: 401 without a token, 403 for visitors, 503 without a quorum", () =>
    Effect.gen(function* () {
      const { on, partition } = yield* TestCluster
      assert.strictEqual((yield* on("n1", HttpClient.get("/tickets"))).status, 401)
      assert.strictEqual((yield* on("n1", openShow(1, ada))).status, 403)
      assert.strictEqual((yield* on("n1", get("/"))).status, 200)
      yield* partition(["n1"])
      const refused = yield* on("n1", post("/tickets", ada, { showId }))
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
        const bought = (yield* json("n2", post("/tickets", ada, { showId }))) as { readonly id: string }
        const tickets = (token: string) => json("n3", get("/manage/api/tickets?count=exact", token))
        const whole = { ...bought, ownerId: "https://login.example|ada", admitted: false }
        assert.deepStrictEqual(yield* tickets(ada), { items: [whole], next: null, total: 1 })
        assert.deepStrictEqual(yield* tickets(organizer), { items: [whole], next: null, total: 1 })
        assert.deepStrictEqual(yield* tickets(bob), { items: [], next: null, total: 0 })
        assert.strictEqual((yield* on("n1", get(`/manage/api/tickets/${bought.id}`, bob))).status, 404)
        assert.strictEqual((yield* on("n1", get("/manage/api/tickets?code=like.*", ada))).status, 400)

        const made = HttpClientRequest.post("/_admin/api/keys").pipe(
          HttpClientRequest.bodyJsonUnsafe({ name: "box office" }),
          HttpClient.execute
        )
        const { key, principal } = (yield* json("n1", made)) as { readonly key: string; readonly principal: string }
        assert.deepInclude(yield* json("n2", post("/tickets", key, { showId })), { holder: principal })
        // A session would outlive the key.
        assert.strictEqual((yield* on("n2", post("/session", key, {}))).status, 403)
      }).pipe(Effect.provide(cluster([])))
  )

  it.live("shows the briefing of a show to the organizer and the staff, and by no way to others", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const json = (node: string, request: ReturnType<typeof get>) =>
        on(
          node,
          Effect.flatMap(request, ({ json }) => json)
        )
      const briefing = "The band eats at six."
      const show = { id: showId, title: "Hamlet", seats: 1 }
      assert.strictEqual((yield* on("n1", post("/manage/api/shows", ada, { ...show, briefing }))).status, 403)
      assert.strictEqual((yield* on("n1", post("/manage/api/shows", organizer, { ...show, briefing }))).status, 201)
      const path = `/manage/api/shows/${showId}`
      // The sale changes the show, and keeps what the buyer does not see.
      yield* on("n2", post("/tickets", ada, { showId }))
      for (const token of [organizer, door]) {
        assert.deepStrictEqual(yield* json("n2", get(path, token)), { ...show, seats: 0, briefing })
        const found = yield* json("n3", get("/manage/api/shows?briefing=like.*band*", token))
        assert.deepStrictEqual(found, { items: [{ ...show, seats: 0, briefing }], next: null })
      }
      const seen = { ...show, seats: 0 }
      assert.deepStrictEqual(yield* json("n2", get(path)), seen)
      assert.deepStrictEqual(yield* json("n3", get("/manage/api/shows")), { items: [seen], next: null })
      const { items } = (yield* json("n1", get(`${path}/history`))) as {
        readonly items: ReadonlyArray<{ data: object }>
      }
      assert.deepStrictEqual(
        items.map(({ data }) => data),
        [show, seen]
      )
      for (const query of ["briefing=like.*band*", "order=briefing.asc", "select=briefing"]) {
        assert.strictEqual((yield* on("n1", get(`/manage/api/shows?${query}`))).status, 400, query)
      }
    }).pipe(Effect.provide(cluster([])))
  )

  it.live("admits each ticket once, by the staff alone", () => {
    const mails: Array<Mail> = []
    return Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      yield* on("n1", openShow(1))
      const bought = yield* on(
        "n1",
        Effect.flatMap(post("/tickets", ada, { showId }), ({ json }) => json)
      )
      const { id: ticketId } = bought as { readonly id: string }
      yield* advance("1 second")
      const code = /door (\S+)$/.exec(mails[0]?.text ?? "")?.[1] ?? ""
      const admit = (token: string, code: string) =>
        on("n2", post("/manage/api/_commands/admit", token, { ticketId, code }))
      assert.strictEqual((yield* admit(ada, code)).status, 403)
      const answers = yield* Effect.forEach(["guessed", code, code], (each) =>
        Effect.flatMap(admit(door, each), ({ json, status }) =>
          Effect.map(json, (body) => [status, (body as { readonly why?: string }).why])
        )
      )
      assert.deepStrictEqual(answers, [
        [409, "wrong-code"],
        [200, undefined],
        [409, "admitted-before"]
      ])
    }).pipe(Effect.provide(cluster(mails)))
  })

  it.live("makes a token a session, which every node knows until the visitor signs out", () =>
    Effect.gen(function* () {
      const { crash, nodes, on } = yield* TestCluster
      const [first = "", second = "", third = ""] = nodes
      const ask = (node: string, method: "GET" | "POST" | "DELETE", path: string, headers: Record<string, string>) =>
        on(node, HttpClientRequest.make(method)(path).pipe(HttpClientRequest.setHeaders(headers), HttpClient.execute))
      const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

      yield* on(first, openShow(2))
      const foreign = yield* Effect.promise(() => tokenOf("ada", [], "another-shop"))
      assert.strictEqual((yield* ask(first, "POST", "/session", bearer(foreign))).status, 401)
      const begun = yield* ask(first, "POST", "/session", bearer(ada))
      assert.deepStrictEqual(yield* begun.json, { name: "ada", roles: [] })
      const [set = ""] = Cookies.toSetCookieHeaders(begun.cookies)
      for (const attribute of ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]) assert.include(set, attribute)
      const cookie = set.split(";")[0] ?? ""
      assert.match(cookie, /^__Host-session=[\w-]{43}$/)

      assert.deepStrictEqual(yield* (yield* ask(second, "GET", "/session", { cookie })).json, {
        name: "ada",
        roles: []
      })
      // What a page of another origin sends changes nothing.
      assert.strictEqual(
        (yield* ask(second, "DELETE", "/session", { cookie, origin: "https://evil.example" })).status,
        403
      )
      assert.strictEqual((yield* ask(second, "DELETE", "/session", { cookie })).status, 403)
      const bought = yield* on(
        third,
        HttpClientRequest.post("/tickets").pipe(
          HttpClientRequest.setHeaders({ cookie, origin }),
          HttpClientRequest.bodyJsonUnsafe({ showId }),
          HttpClient.execute
        )
      )
      assert.deepInclude(yield* bought.json, { holder: "ada" })
      // The ticket belongs to the one who has the token, too.
      assert.lengthOf((yield* (yield* ask(first, "GET", "/tickets", bearer(ada))).json) as ReadonlyArray<unknown>, 1)
      assert.strictEqual((yield* ask(first, "GET", "/manage/api/sessions", bearer(organizer))).status, 404)

      yield* crash(first)
      assert.strictEqual((yield* ask(second, "DELETE", "/session", { cookie, origin })).status, 204)
      // The browser forgets a cookie that is not good any more: with it nobody could sign in again.
      const over = yield* ask(third, "GET", "/session", { cookie })
      assert.strictEqual(over.status, 401)
      assert.match(Cookies.toSetCookieHeaders(over.cookies)[0] ?? "", /^__Host-session=; Max-Age=0; Path=\/;/)
    }).pipe(Effect.provide(cluster([])))
  )
})

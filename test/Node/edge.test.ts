/** The edge of a node on its own server: limits by address and principal, CORS, headers, and the log of requests. */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"
import * as Access from "../../src/Access.ts"
import * as Http from "../../src/Http.ts"
import { layer, makeKey, type Setting, secret, send, Target } from "../attacks/Target.ts"

/** Paths that the server serves before the router, and paths that the router serves. */
const paths = { directly: "/api/plans/none", "by the router": "/api/_projections" }

const on =
  (setting: Setting) =>
  <A, E>(program: Effect.Effect<A, E, Target>) =>
    Effect.provide(program, layer(setting))

const limitOf = ({ body, headers, status }: { status: number; body: { limit?: string }; headers: object }) => [
  status,
  body.limit,
  Number((headers as Record<string, string>)["retry-after"])
]

describe("requests of one address", () => {
  for (const [how, path] of Object.entries(paths)) {
    it.live(`are 429 past their rate, served ${how}, and those of another address are not`, () =>
      Effect.gen(function* () {
        const { key } = yield* makeKey("ada", ["staff"])
        for (let count = 0; count < 3; count++) {
          assert.notStrictEqual((yield* send("GET", path, { key, from: "10.0.0.7" })).status, 429)
        }
        const refused = yield* send("GET", path, { key, from: "10.0.0.7" })
        assert.deepStrictEqual(limitOf(refused), [429, "address", 100])
        assert.deepInclude(refused.body, { type: "urn:lithair:problem:too-many-requests", definite: true })
        assert.strictEqual(refused.headers["x-content-type-options"], "nosniff")
        assert.notStrictEqual((yield* send("GET", path, { key, from: "10.0.0.8" })).status, 429)
        // The client sends what it likes; the proxy adds where it comes from.
        assert.strictEqual((yield* send("GET", path, { key, from: "10.9.9.9, 10.0.0.7" })).status, 429)
        // A load balancer always hears how the node is.
        assert.strictEqual((yield* send("GET", "/livez", { from: "10.0.0.7" })).status, 200)
        const { text } = yield* send("GET", "/metrics", { key: secret })
        assert.include(text, 'lithair_refused_total{reason="too-many-requests"} 2')
      }).pipe(on({ edge: { addressRate: { perSecond: 0.01, burst: 3 } } }))
    )
  }

  it.live("count for routes of the application too, and for writes whose key repeats", () =>
    Effect.gen(function* () {
      const { key } = yield* makeKey("ada")
      assert.strictEqual((yield* send("GET", "/own", { from: "10.0.0.7" })).status, 200)
      const write = () =>
        send("POST", "/api/plans", {
          key,
          from: "10.0.0.7",
          headers: { "idempotency-key": "k" },
          body: { id: "a", text: "t" }
        })
      assert.deepStrictEqual([(yield* write()).status, (yield* write()).status], [201, 201])
      assert.strictEqual((yield* write()).status, 429)
      assert.strictEqual((yield* send("GET", "/own", { from: "10.0.0.7" })).status, 429)
    }).pipe(
      on({
        edge: { addressRate: { perSecond: 0.01, burst: 3 } },
        routes: HttpRouter.add("GET", "/own", HttpServerResponse.text("own"))
      })
    )
  )

  it.live("of this host have no limit, unless it is a listed proxy", () =>
    Effect.gen(function* () {
      for (let count = 0; count < 20; count++) {
        assert.notStrictEqual((yield* send("GET", paths.directly, { from: "10.0.0.7" })).status, 429)
      }
    }).pipe(on({ edge: { trustedProxies: [], addressRate: { perSecond: 0.01, burst: 3 } } }))
  )
})

describe("a middleware of the application that believes a proxy", () => {
  it.live("makes no request one of this host, which has no limit", () =>
    Effect.gen(function* () {
      const ask = Effect.map(send("GET", paths.directly, { from: "::1" }), ({ status }) => status)
      assert.deepStrictEqual(yield* Effect.replicateEffect(ask, 3), [401, 401, 429])
    }).pipe(
      on({
        edge: { addressRate: { perSecond: 0.01, burst: 2 } },
        middleware: HttpMiddleware.xForwardedHeaders({ trustedProxies: () => true })
      })
    )
  )
})

describe("requests of one principal", () => {
  for (const [how, path] of Object.entries(paths)) {
    it.live(`are 429 past their rate, from whichever address, served ${how}`, () =>
      Effect.gen(function* () {
        const ada = yield* makeKey("ada", ["staff"])
        const bob = yield* makeKey("bob", ["staff"])
        for (let count = 0; count < 3; count++) {
          assert.notStrictEqual((yield* send("GET", path, { key: ada.key, from: `10.0.0.${count}` })).status, 429)
        }
        assert.deepStrictEqual(limitOf(yield* send("GET", path, { key: ada.key, from: "10.0.0.9" })), [
          429,
          "principal",
          100
        ])
        assert.notStrictEqual((yield* send("GET", path, { key: bob.key, from: "10.0.0.9" })).status, 429)
      }).pipe(on({ edge: { principalRate: { perSecond: 0.01, burst: 3 } } }))
    )
  }
})

describe("failed credentials of one address", () => {
  const wrong = `lk1_${"a".repeat(16)}_${"b".repeat(43)}`
  for (const [how, path] of Object.entries({ ...paths, "for operators": "/_admin/api/keys" })) {
    it.live(`are looked at no more after 20, served ${how}`, () =>
      Effect.gen(function* () {
        const { key } = yield* makeKey("ada", ["staff"])
        for (let count = 0; count < 20; count++) {
          assert.strictEqual(
            (yield* send("GET", path, { key: `${wrong.slice(0, -2)}${10 + count}`, from: "10.0.0.7" })).status,
            401
          )
        }
        // The node does not look at a good one either, so that it tells nothing.
        for (const shown of [wrong, key]) {
          const refused = yield* send("GET", path, { key: shown, from: "10.0.0.7" })
          assert.deepStrictEqual(limitOf(refused), [429, "credentials", 3])
        }
        const other = path.startsWith("/_admin") ? 403 : (yield* send("GET", path, { key })).status
        assert.strictEqual((yield* send("GET", path, { key, from: "10.0.0.8" })).status, other)
        // Without a credential there is nothing to look at.
        assert.notStrictEqual((yield* send("GET", path, { from: "10.0.0.7" })).status, 429)
      }).pipe(on({}))
    )
  }

  it.live("of cookies and headers count as those of bearer tokens do, and a missing one counts not at all", () =>
    Effect.gen(function* () {
      for (let count = 0; count < 30; count++) {
        assert.strictEqual(
          (yield* send("GET", paths.directly, { from: "10.0.0.7", headers: { cookie: "theme=dark" } })).status,
          401
        )
      }
      const shown = { from: "10.0.0.7", headers: { cookie: "theme=dark; __Host-session=bad" } }
      for (let count = 0; count < 20; count++) {
        assert.strictEqual((yield* send("GET", paths.directly, shown)).status, 401)
      }
      assert.deepStrictEqual(limitOf(yield* send("GET", paths.directly, shown)), [429, "credentials", 3])
    }).pipe(
      on({
        auth: {
          authenticators: [
            Access.cookie({
              name: "__Host-session",
              origins: ["https://notes.example"],
              verify: () => Effect.fail(new Access.Unauthenticated({ message: "There is no such session" }))
            })
          ],
          sets: { teams: { model: "Membership", by: "userId", value: "teamId" } }
        }
      })
    )
  )
})

describe("an answer of 401 by the application itself", () => {
  it.live("to a caller who has signed in says nothing of the credential", () =>
    Effect.gen(function* () {
      const { key } = yield* makeKey("ada")
      for (let count = 0; count < 25; count++) {
        assert.strictEqual((yield* send("GET", "/own", { key, from: "10.0.0.7" })).status, 401)
      }
      assert.strictEqual((yield* send("GET", paths.directly, { key, from: "10.0.0.7" })).status, 404)
      // A bad credential counts there too.
      for (let count = 0; count < 20; count++) yield* send("GET", "/own", { key: `${key}x`, from: "10.0.0.7" })
      assert.strictEqual((yield* send("GET", "/own", { key, from: "10.0.0.7" })).status, 429)
    }).pipe(
      on({
        routes: HttpRouter.add(
          "GET",
          "/own",
          Effect.andThen(Http.caller, Effect.fail(Http.problem("unauthenticated", "Sign in again for this", {})))
        )
      })
    )
  )
})

describe("streams of one principal", () => {
  it.live("are 429 past 16, wherever they come from", () =>
    Effect.gen(function* () {
      const { port } = yield* Target
      const { key } = yield* makeKey("sam", ["staff"])
      const open = (from: string) =>
        Effect.acquireRelease(
          Effect.callback<{ readonly status: number; readonly close: () => void }>((resume) => {
            const socket = connect({ host: "127.0.0.1", port })
            socket.on("error", () => {})
            socket.once("data", (data) => {
              const status = Number(data.toString().split(" ")[1])
              resume(Effect.succeed({ status, close: () => void socket.resetAndDestroy() }))
            })
            socket.write(
              `GET /api/notes/changes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\nx-forwarded-for: ${from}\r\n\r\n`
            )
          }),
          ({ close }) => Effect.sync(close)
        )
      const opened = yield* Effect.forEach(
        Array.from({ length: 16 }, (_, at) => `10.0.0.${at}`),
        open
      )
      assert.deepStrictEqual(new Set(opened.map(({ status }) => status)), new Set([200]))
      const refused = yield* send("GET", "/api/notes/changes", { key, from: "10.0.1.1" })
      assert.deepStrictEqual(limitOf(refused).slice(0, 2), [429, "streams"])
      opened[0]?.close()
      let last = 429
      while (last === 429) last = (yield* Effect.scoped(open("10.0.1.1"))).status
      assert.strictEqual(last, 200)
    }).pipe(Effect.scoped, on({}))
  )
})

describe("a page of another origin", () => {
  const origin = "https://shop.example"
  for (const [how, path] of Object.entries(paths)) {
    it.live(`reads answers and problems if its origin is listed, served ${how}`, () =>
      Effect.gen(function* () {
        const allowed = yield* send("GET", path, { headers: { origin } })
        assert.strictEqual(allowed.headers["access-control-allow-origin"], origin)
        assert.include(String(allowed.headers["access-control-expose-headers"]), "etag")
        assert.strictEqual(allowed.headers.vary, "origin")
        assert.notProperty(allowed.headers, "access-control-allow-credentials")
        for (const other of ["https://evil.example", "null", `${origin}.evil.example`, "http://shop.example"]) {
          const refused = yield* send("GET", path, { headers: { origin: other } })
          assert.notProperty(refused.headers, "access-control-allow-origin", other)
          assert.strictEqual(refused.headers.vary, "origin")
        }
      }).pipe(on({ edge: { corsOrigins: [origin] } }))
    )
  }

  it.live("asks first what it may send", () =>
    Effect.gen(function* () {
      const preflight = (from: string, path = "/api/plans/a") =>
        send("OPTIONS", path, {
          headers: {
            origin: from,
            "access-control-request-method": "PUT",
            "access-control-request-headers": "authorization,if-match"
          }
        })
      const allowed = yield* preflight(origin)
      assert.strictEqual(allowed.status, 204)
      assert.strictEqual(allowed.headers["access-control-allow-origin"], origin)
      assert.include(String(allowed.headers["access-control-allow-methods"]), "PUT")
      for (const name of ["authorization", "if-match", "idempotency-key", "last-event-id"]) {
        assert.include(String(allowed.headers["access-control-allow-headers"]).split(", "), name)
      }
      const foreign = yield* preflight("https://evil.example")
      assert.strictEqual(foreign.status, 405)
      assert.notProperty(foreign.headers, "access-control-allow-origin")
      // The administration is for programs alone.
      for (const path of ["/_admin/api/keys", "/metrics", "/_raft"]) {
        assert.notProperty((yield* preflight(origin, path)).headers, "access-control-allow-origin", path)
      }
    }).pipe(on({ edge: { corsOrigins: [origin] } }))
  )

  it.live("reads nothing where no origin is listed", () =>
    Effect.gen(function* () {
      for (const path of [...Object.values(paths), "/openapi.json", "/livez"]) {
        const answered = yield* send("GET", path, { headers: { origin } })
        for (const name of Object.keys(answered.headers)) assert.notMatch(name, /^access-control/, path)
      }
    }).pipe(on({}))
  )

  it.live("sends a cookie along only where the authenticator of cookies lists its origin", () =>
    Effect.gen(function* () {
      const ask = (from: string) =>
        Effect.map(send("GET", paths.directly, { headers: { origin: from } }), (it) => it.headers)
      assert.strictEqual((yield* ask(origin))["access-control-allow-credentials"], "true")
      const other = yield* ask("https://other.example")
      assert.strictEqual(other["access-control-allow-origin"], "https://other.example")
      assert.notProperty(other, "access-control-allow-credentials")
    }).pipe(
      on({
        edge: { corsOrigins: [origin, "https://other.example"] },
        auth: {
          authenticators: [
            Access.cookie({
              name: "__Host-session",
              origins: [origin],
              verify: () => Effect.fail(new Access.Unauthenticated({ message: "There is no such session" }))
            })
          ],
          sets: { teams: { model: "Membership", by: "userId", value: "teamId" } }
        }
      })
    )
  )
})

describe("an answer", () => {
  it.live(
    "is taken for what it says alone, kept by no shared cache, and a page of ours loads nothing from elsewhere",
    () =>
      Effect.gen(function* () {
        const { key } = yield* makeKey("sam", ["staff"])
        for (const path of [
          "/api/notes",
          "/api/notes/none",
          "/api/_projections",
          "/api/_projections/count",
          "/nowhere"
        ]) {
          const { headers } = yield* send("GET", path, { key })
          assert.strictEqual(headers["x-content-type-options"], "nosniff", path)
          assert.strictEqual(headers["cache-control"], "private, no-cache", path)
        }
        assert.strictEqual(
          (yield* send("GET", "/_admin/api/keys", { key: secret })).headers["cache-control"],
          "no-store"
        )
        const docs = yield* send("GET", "/docs")
        assert.include(docs.headers["content-type"], "text/html")
        assert.match(String(docs.headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/)
        assert.strictEqual(docs.headers["x-content-type-options"], "nosniff")
      }).pipe(on({}))
  )
})

describe("the log of requests", () => {
  it.live("has one line for each request, served directly, by the router or by the application, and no secret", () =>
    Effect.gen(function* () {
      const { logged } = yield* Target
      const { key, principal } = yield* makeKey("ada")
      const trace = "0af7651916cd43dd8448eb211c80319c"
      const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01`, "idempotency-key": "my-key" }
      const from = "10.0.0.7"
      yield* send("POST", "/api/plans?select=id", { key, from, headers, body: { id: "a", text: "my text" } })
      yield* send("POST", "/api/plans", { key, from, headers, body: { id: "a", text: "my text" } })
      yield* send("GET", "/api/plans/a?consistency=local", { key, from })
      yield* send("GET", "/api/plans/none?text=eq.my-query", { key, from })
      yield* send("GET", "/api/plans/a/history", { key, from })
      yield* send("GET", "/api/plans/a", { key: `${key}x`, from })
      yield* send("GET", "/own/my-shelf", { from })
      yield* send("GET", "/own/fails", { from })
      yield* send("GET", "/api/nowhere/my-path", { from })
      yield* send("GET", "/livez", { from })
      const seen = logged.filter(({ address }) => address === from)
      assert.deepStrictEqual(
        seen.map(({ method, principal, problem, route, status }) => [method, route, status, problem, principal]),
        [
          ["POST", "/api/plans", 400, "invalid-request", principal],
          ["POST", "/api/plans", 201, null, principal],
          ["GET", "/api/plans/:textId", 200, null, principal],
          ["GET", "/api/plans/:textId", 400, "invalid-request", principal],
          ["GET", "/api/plans/:textId/history", 200, null, principal],
          ["GET", "/api/plans/:textId", 401, "unauthenticated", null],
          ["GET", "/own/:shelf", 200, null, null],
          ["GET", "/own/fails", 409, null, null],
          ["GET", null, 404, "not-found", null],
          ["GET", "/livez", 200, null, null]
        ]
      )
      assert.deepStrictEqual([seen[1]?.trace, seen[2]?.trace], [trace, null])
      for (const { at, ms } of seen) {
        assert.isAtLeast(ms, 0)
        assert.isFalse(Number.isNaN(Date.parse(at)))
      }
      const text = JSON.stringify(logged)
      for (const secret of [key.slice(0, 20), key.slice(21), "my-key", "my text", "my-query", "my-path", "my-shelf"]) {
        assert.notInclude(text, secret)
      }
    }).pipe(
      on({
        routes: Layer.merge(
          HttpRouter.add("GET", "/own/:shelf", HttpServerResponse.text("own")),
          HttpRouter.add("GET", "/own/fails", Effect.fail(Http.problem("rule-broken", "broken", {})))
        )
      })
    )
  )

  it.live("has a client that went away with status 0, and a function that throws breaks nothing", () =>
    Effect.gen(function* () {
      const { port } = yield* Target
      assert.strictEqual((yield* send("GET", "/api/plans/none")).status, 401)
      const socket = connect({ host: "127.0.0.1", port })
      socket.on("error", () => {})
      socket.write("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
      yield* Deferred.await(begun)
      socket.resetAndDestroy()
      while (!statuses.includes(0)) yield* Effect.sleep("5 millis")
    }).pipe(
      on({
        routes: HttpRouter.add("GET", "/slow", Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)),
        edge: {
          requestLog: ({ status }) => {
            statuses.push(status)
            throw new Error("The application's own mistake")
          }
        }
      })
    )
  )
  const statuses: Array<number> = []
  const begun = Deferred.makeUnsafe<void>()
})

describe("settings of the edge that are wrong", () => {
  for (const edge of [
    { trustedProxies: ["proxy.example"] },
    { addressRate: { perSecond: 0, burst: 1 } },
    { principalRate: { perSecond: 1, burst: 0.5 } },
    { corsOrigins: ["*"] },
    { corsOrigins: ["https://shop.example/"] },
    { failedCredentialsPerMinute: 0 },
    { streamsOfOneMax: -1 }
  ] satisfies ReadonlyArray<Http.EdgeOptions>) {
    it.live(`start no node: ${JSON.stringify(edge)}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Effect.provide(Target, layer({ edge })))
        assert.strictEqual(exit._tag, "Failure")
      })
    )
  }
})

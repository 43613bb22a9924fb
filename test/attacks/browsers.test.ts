/**
 * Attacks by pages in a browser: of another site, of a name that was made to point to this host (DNS rebinding), in a frame.
 * A page sends what a browser lets it send; the node tells it apart by Host, Origin and the media type. docs/access.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import * as Access from "../../src/Access.ts"
import * as Lithair from "../../src/Lithair.ts"
import { layerServer } from "../../src/node.ts"
import { application, Plan } from "../Access/Notes.ts"
import { layer, secret, send, Target } from "./Target.ts"

/** A node without auth. */
const open = Layer.effect(
  Target,
  Effect.map(HttpServer.HttpServer, ({ address }) =>
    Target.of({ port: NetAddress.isUnixPathAddress(address) ? 0 : address.port, logged: [] })
  )
).pipe(
  Layer.provideMerge(
    HttpRouter.serve(Lithair.layerRoutes(), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(
        Lithair.layer({ models: [Plan], edge: { trustedProxies: ["127.0.0.1"], corsOrigins: ["https://a.example"] } })
      )
    )
  ),
  Layer.provide(Lithair.layerTest),
  Layer.provideMerge(Lithair.layerMemory),
  Layer.provideMerge(layerServer({ port: 0 }))
) as Layer.Layer<Target>

const refusedOpen = "urn:lithair:problem:open-mode"

describe("an open node", () => {
  it.live(
    "answers no page by a foreign name (DNS rebinding), directly or by the router, and changes nothing for it",
    () =>
      Effect.gen(function* () {
        for (const host of [
          "evil.example",
          "evil.example:8081",
          "127.0.0.1.evil.example",
          "localhost.evil.example",
          "10.0.0.1"
        ]) {
          for (const path of [
            "/api/plans",
            "/api/plans/a",
            "/api/_projections",
            "/api/plans/changes",
            "/metrics",
            "/openapi.json"
          ]) {
            const { body, status } = yield* send("GET", path, { headers: { host } })
            assert.deepStrictEqual([status, body.type], [403, refusedOpen], `${host} ${path}`)
          }
          const body = { id: "a", ownerId: null, text: "t" }
          assert.strictEqual((yield* send("POST", "/api/plans", { headers: { host }, body })).status, 403)
          assert.strictEqual(
            (yield* send("POST", "/_admin/api/leader:transfer", { headers: { host }, body: {} })).status,
            403
          )
        }
        assert.strictEqual((yield* send("GET", "/api/plans/a")).status, 404)
      }).pipe(Effect.provide(open))
  )

  it.live("answers no page of another site, a listed one neither, and none through a proxy, trusted or not", () =>
    Effect.gen(function* () {
      const attempts: ReadonlyArray<Record<string, string>> = [
        { origin: "https://evil.example" },
        { origin: "https://a.example" },
        { origin: "null" },
        { origin: "http://localhost.evil.example" },
        { "x-forwarded-for": "127.0.0.1" },
        { forwarded: "for=127.0.0.1" },
        { "x-real-ip": "127.0.0.1" },
        { via: "1.1 proxy" }
      ]
      for (const headers of attempts) {
        for (const [method, path] of [
          ["GET", "/api/plans"],
          ["GET", "/api/_projections"],
          ["DELETE", "/api/plans/a"]
        ] as const) {
          const { body, status } = yield* send(method, path, { headers })
          assert.deepStrictEqual([status, body.type], [403, refusedOpen], `${JSON.stringify(headers)} ${path}`)
        }
      }
    }).pipe(Effect.provide(open))
  )
})

describe("a page of another site", () => {
  const origin = "https://notes.example"
  const auth = {
    ...application.auth,
    authenticators: [
      Access.cookie({
        name: "__Host-session",
        origins: [origin],
        verify: (credential) =>
          Redacted.value(credential) === "good"
            ? Effect.succeed({ id: "notes|ada", roles: [], claims: {} })
            : Effect.fail(new Access.Unauthenticated({ message: "There is no such session" }))
      })
    ]
  } as const
  const cookie = "__Host-session=good"

  it.live("changes nothing with a visitor's cookie, as a form, as text or as JSON", () =>
    Effect.gen(function* () {
      const body = { id: "a", text: "t" }
      for (const headers of [
        { cookie, origin: "https://evil.example" },
        { cookie, origin: "null" },
        { cookie, origin: `${origin}.evil.example` },
        { cookie, referer: `${origin}/page` },
        { cookie, "sec-fetch-site": "cross-site" },
        { cookie, origin: "https://evil.example", "content-type": "text/plain" },
        { cookie, origin: "https://evil.example", "content-type": "application/x-www-form-urlencoded" }
      ]) {
        for (const [method, path] of [
          ["POST", "/api/plans"],
          ["PUT", "/api/plans/a"],
          ["POST", "/api/_tx"],
          ["DELETE", "/api/_operations/k"],
          ["POST", "/api/_commands/like"]
        ] as const) {
          const { status } = yield* send(method, path, { headers, body })
          assert.strictEqual(status, 403, `${JSON.stringify(headers)} ${method} ${path}`)
        }
      }
      // Without the cookie a form cannot speak JSON, and nobody has signed in.
      const form = { origin, "content-type": "text/plain" }
      assert.include([401, 415], (yield* send("POST", "/api/plans", { headers: form, body })).status)
      assert.strictEqual((yield* send("POST", "/api/plans", { headers: { cookie, origin }, body })).status, 201)
    }).pipe(Effect.provide(layer({ auth })))
  )

  it.live("reads no answer, since no answer allows its origin, and frames none", () =>
    Effect.gen(function* () {
      for (const path of [
        "/api/plans",
        "/api/_projections",
        "/openapi.json",
        "/metrics",
        "/_admin/api/members",
        "/docs"
      ]) {
        const { headers } = yield* send("GET", path, { headers: { cookie, origin: "https://evil.example" } })
        assert.notProperty(headers, "access-control-allow-origin", path)
        assert.notProperty(headers, "access-control-allow-credentials", path)
        assert.strictEqual(headers["x-content-type-options"], "nosniff", path)
        if (String(headers["content-type"]).startsWith("text/html")) {
          assert.include(String(headers["content-security-policy"]), "frame-ancestors 'none'", path)
        }
      }
    }).pipe(Effect.provide(layer({ auth, edge: { corsOrigins: [origin] } })))
  )

  it.live("does not become a program of this host: the administration asks for the secret", () =>
    Effect.gen(function* () {
      for (const headers of [
        { origin: "https://evil.example" },
        { origin: "http://localhost:8081" },
        { "sec-fetch-site": "cross-site" },
        { host: "evil.example" }
      ]) {
        for (const [method, path] of [
          ["POST", "/_admin/api/keys"],
          ["DELETE", "/_admin/api/members/memory:0"],
          ["POST", "/_admin/api/leader:transfer"],
          ["POST", "/_admin/api/erasures"]
        ] as const) {
          const { status } = yield* send(method, path, { headers, body: { name: "evil" } })
          assert.include([401, 403], status, `${JSON.stringify(headers)} ${path}`)
        }
      }
    }).pipe(Effect.provide(layer({ edge: { trustedProxies: [] } })))
  )
})

describe("a listed proxy on this host that adds no header", () => {
  it.live("makes nobody an operator or a viewer", () =>
    Effect.gen(function* () {
      for (const [method, path] of [
        ["GET", "/metrics"],
        ["GET", "/_admin/api/keys"],
        ["POST", "/_admin/api/keys"]
      ] as const) {
        const asked = method === "POST" ? { body: { name: "evil" } } : {}
        assert.strictEqual((yield* send(method, path, asked)).status, 401, path)
        assert.isBelow((yield* send(method, path, { ...asked, key: secret })).status, 300, path)
      }
    }).pipe(Effect.provide(layer()))
  )
})

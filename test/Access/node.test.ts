/** Sign-in on a node's own server, where hot endpoints are served before Effect's router. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import * as Access from "../../src/Access.ts"
import { layerAdminToken } from "../../src/Http/AdminToken.ts"
import { OpenToOthers } from "../../src/Http/OpenMode.ts"
import * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import { layerServer } from "../../src/node.ts"
import { application, handlers, Plan } from "./Notes.ts"

const routes = Layer.mergeAll(Http.layerApi(), Http.layerAdmin, Http.layerDocs(), Http.layerNotFound)

/** A node in memory, and its routes on a real port. */
const provide = <A, E>(program: Effect.Effect<A, E, HttpServer.HttpServer>) =>
  program.pipe(
    Effect.provide(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(Lithair.layer(application)),
        Layer.provide(handlers),
        Layer.provide(Lithair.layerTest),
        Layer.provide(Lithair.layerMemory),
        Layer.provideMerge(layerServer({ port: 0 }))
      )
    )
  )

const portOf = Effect.map(HttpServer.HttpServer, ({ address }) =>
  NetAddress.isUnixPathAddress(address) ? 0 : address.port
)

/** Sends the lines of a head, and a body, and reads the answer until the connection ends. */
const send = (port: number, lines: ReadonlyArray<string>, body = "", host = "localhost") =>
  Effect.callback<{ readonly status: number; readonly text: string }>((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    let text = ""
    socket.on("data", (data) => {
      text += data.toString()
    })
    socket.on("close", () => resume(Effect.succeed({ status: Number(text.split(" ")[1]), text })))
    const length = body === "" ? [] : [`content-length: ${body.length}`, "content-type: application/json"]
    socket.write(`${[...lines, `host: ${host}`, "connection: close", ...length].join("\r\n")}\r\n\r\n${body}`)
  })

describe("a node's own server", () => {
  it.live("serves hot endpoints to a signed-in caller, and refuses wrong, doubled and missing credentials", () =>
    Effect.gen(function* () {
      const port = yield* portOf
      const made = yield* send(port, ["POST /_admin/api/keys HTTP/1.1"], '{"name":"ada"}')
      assert.strictEqual(made.status, 201, made.text)
      const { id, key } = JSON.parse(made.text.slice(made.text.indexOf("\r\n\r\n{") + 4)) as Record<string, string>
      const bearer = `authorization: Bearer ${key}`
      const post = (...headers: ReadonlyArray<string>) =>
        send(port, ["POST /api/plans HTTP/1.1", ...headers], '{"id":"a","text":"t"}')
      const get = (...headers: ReadonlyArray<string>) => send(port, ["GET /api/plans/a HTTP/1.1", ...headers])
      assert.strictEqual((yield* post()).status, 401)
      assert.strictEqual((yield* post(bearer, bearer)).status, 401)
      assert.strictEqual((yield* post(bearer)).status, 201)
      assert.strictEqual((yield* get(bearer)).status, 200)
      assert.strictEqual((yield* get(bearer, bearer)).status, 401)
      assert.strictEqual((yield* get(bearer, `Authorization: Bearer ${key}`)).status, 401)
      assert.strictEqual((yield* get(`authorization: Bearer ${key}x`)).status, 401)
      const refused = yield* get()
      assert.strictEqual(refused.status, 401)
      assert.match(refused.text, /www-authenticate: Bearer/i)
      assert.strictEqual((yield* send(port, [`DELETE /_admin/api/keys/${id} HTTP/1.1`])).status, 204)
      assert.strictEqual((yield* get(bearer)).status, 401)
      // Operators show who they are too: a page and a proxy are not this host.
      for (const path of ["/metrics", "/_admin/api/cluster", "/_admin/api/models", "/_admin/api/keys"]) {
        assert.strictEqual((yield* send(port, [`GET ${path} HTTP/1.1`, "x-forwarded-for: 10.0.0.7"])).status, 401, path)
        assert.strictEqual((yield* send(port, [`GET ${path} HTTP/1.1`])).status, 200, path)
      }
      const document = JSON.parse(
        (yield* send(port, ["GET /openapi.json HTTP/1.1"])).text
          .replace(/^[\s\S]*?\r\n\r\n/, "")
          .replace(/^[0-9a-f]+\r\n/, "")
          .split("\r\n")[0]!
      )
      assert.deepStrictEqual(document.components.securitySchemes, { apiKey: { type: "http", scheme: "bearer" } })
      assert.deepStrictEqual(document.paths["/api/plans"].get.security, [{}, { apiKey: [] }])
      assert.notProperty(document.components.schemas.Note.properties, "pin")
      assert.notProperty(document.paths, "/api/sessions")
    }).pipe(provide)
  )

  it.live("answers operators of other hosts who show the admin token, although the application is open to none", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.promise(() => mkdtemp(join(tmpdir(), "lithair-")))
      yield* Effect.addFinalizer(() => Effect.promise(() => rm(directory, { recursive: true })))
      const token = "0123456789abcdef0123456789abcdef"
      const file = join(directory, "token")
      yield* Effect.promise(() => writeFile(file, token))
      const statusOf = (port: number, path: string, ...headers: ReadonlyArray<string>) =>
        Effect.map(send(port, [`GET ${path} HTTP/1.1`, ...headers], "", "10.1.0.1:9081"), ({ status }) => status)
      yield* Effect.gen(function* () {
        const port = yield* portOf
        for (const path of ["/metrics", "/_admin/api/cluster", "/_admin/api/keys"]) {
          assert.strictEqual(yield* statusOf(port, path, `authorization: Bearer ${token}`), 200, path)
          assert.strictEqual(yield* statusOf(port, path), 401, path)
          assert.strictEqual(yield* statusOf(port, path, `authorization: Bearer ${token}x`), 401, path)
        }
        for (const path of ["/api/plans", "/api/plans/a", "/docs", "/_ADMIN/api/keys", "/api/_projections"]) {
          assert.strictEqual(yield* statusOf(port, path, `authorization: Bearer ${token}`), 403, path)
        }
      }).pipe(
        Effect.provide(
          HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
            Layer.provide(Lithair.layer({ models: [Plan] })),
            Layer.provide(Lithair.layerTest),
            Layer.provide(Lithair.layerMemory),
            Layer.provide(layerAdminToken(file)),
            Layer.provideMerge(layerServer({ port: 0 }))
          )
        )
      )
    }).pipe(Effect.scoped)
  )

  it.live("does not start where other hosts reach it, unless the application has auth or says so", () =>
    Effect.gen(function* () {
      const starting = (more: Lithair.Application) =>
        Effect.void.pipe(
          Effect.provide(
            HttpRouter.serve(Http.layerApi(), { disableLogger: true, disableListenLog: true }).pipe(
              Layer.provide(Lithair.layer(more)),
              Layer.provide(Lithair.layerTest),
              Layer.provide(Lithair.layerMemory),
              Layer.provide(layerServer({ port: 0, host: "0.0.0.0" }))
            )
          ),
          Effect.result
        )
      const refused = yield* starting({ models: [Plan] })
      assert.isTrue(refused._tag === "Failure" && refused.failure instanceof OpenToOthers)
      for (const more of [
        { insecureOpen: true },
        { auth: Access.external },
        { auth: { authenticators: [Access.apiKeys] } }
      ] as const) {
        assert.strictEqual(
          (yield* starting({ models: [Plan], ...more }))._tag,
          "Success",
          JSON.stringify(Object.keys(more))
        )
      }
    })
  )
})

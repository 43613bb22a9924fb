/** Attacks on the log: a client that writes lines of its own into it, or has it keep a secret. docs/edge.md. */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as Access from "../../src/Access.ts"
import { logLine } from "../../src/Http/LogLine.ts"
import { application } from "../Access/Notes.ts"
import { layer, makeKey, send, Target } from "./Target.ts"

/** Sends bytes as they are, and waits until the node has closed the connection. */
const sendRaw = (bytes: string) =>
  Effect.flatMap(Target, ({ port }) =>
    Effect.callback<string>((resume) => {
      let answer = ""
      const socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes, "latin1"))
      socket.on("data", (data) => {
        answer += data.toString("latin1")
      })
      socket.on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(answer)))
      return Effect.sync(() => socket.destroy())
    })
  )

const evil = '"}\r\n{"status":200}\u001b[2J\u202e'

describe("the log of requests", () => {
  it.live("has a line for each request and no more, whatever path, query, headers and body say", () =>
    Effect.gen(function* () {
      const { logged } = yield* Target
      const { key } = yield* makeKey("ada")
      const before = logged.length
      const encoded = encodeURIComponent(evil)
      const paths = [`/api/plans/${encoded}`, `/api/plans?${encoded}`, `/${encoded}`, `/api/plans/a%0d%0aX`]
      for (const path of paths) yield* send("GET", path, { key, from: "10.0.0.7" })
      yield* send("GET", "/api/plans/a", { key, headers: { traceparent: `00-${"a".repeat(32)}-x"}{` } })
      yield* send("GET", "/api/plans/a", { key, from: "10.0.0.7, 10.0.0.8\u00e9" })
      yield* send("POST", "/api/plans", {
        key,
        body: { id: evil, text: evil },
        headers: { "idempotency-key": "k%0d%0a" }
      })
      // Raw bytes that no client library would send.
      yield* sendRaw(`GET /api/plans/\x1b[2J HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      yield* sendRaw(`EVIL"} /api/plans HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      yield* sendRaw(
        `GET /api/plans HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 1.2.3.4\x00\r\nconnection: close\r\n\r\n`
      )
      assert.isAtLeast(logged.length - before, 7)
      assert.isAtMost(logged.length - before, 10)
      for (const request of logged) {
        const line = logLine(request)
        assert.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
        assert.notInclude(line, "2J")
        assert.notInclude(line, key.slice(5))
        assert.match(request.route ?? "/", /^\/[A-Za-z:_/.-]*$/)
      }
    }).pipe(Effect.provide(layer()))
  )

  it.live("keeps a principal's evil name on its line", () =>
    Effect.gen(function* () {
      const { logged } = yield* Target
      yield* send("GET", "/api/plans/a", { headers: { cookie: "__Host-s=1" } })
      const last = logged.at(-1)!
      assert.strictEqual(last.principal, `idp|${evil}`)
      assert.notMatch(logLine(last), /[\p{Cc}\p{Cf}]/u)
      assert.deepStrictEqual(JSON.parse(logLine(last)).principal, `idp|${evil}`)
    }).pipe(
      Effect.provide(
        layer({
          auth: {
            ...application.auth,
            authenticators: [
              Access.cookie({
                name: "__Host-s",
                origins: ["https://a.example"],
                verify: () => Effect.succeed({ id: `idp|${evil}`, roles: [], claims: {} })
              })
            ]
          }
        })
      )
    )
  )
})

describe("the node's own log", () => {
  it.live("has no text of a client and no credential, whatever fails", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${JSON.stringify(cause)}`))
    return Effect.gen(function* () {
      const { key } = yield* makeKey("ada")
      yield* send("GET", `/api/plans/${encodeURIComponent(evil)}`, { key: `${key}x` })
      yield* send("POST", "/api/plans", { key, body: { id: evil, text: "my text" } })
      yield* send("POST", "/_admin/api/keys", { key: "my-guess", body: { name: evil } })
      yield* sendRaw(`GET /${"x".repeat(20)} HTTP/9.9\r\nhost: ${evil}\r\n\r\n`)
      assert.isNotEmpty(lines)
      for (const line of lines) {
        for (const secret of ["2J", "my text", "my-guess", key.slice(5)]) assert.notInclude(line, secret)
      }
    }).pipe(Effect.provide(layer()), Effect.provide(Logger.layer([logger])))
  })
})

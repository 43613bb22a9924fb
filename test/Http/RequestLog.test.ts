/** The lines of the log of requests: what they hold, that nobody forges one, and that a slow output costs no memory. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as ClientAddress from "../../src/Http/ClientAddress.ts"
import { logLine } from "../../src/Http/LogLine.ts"
import { type LoggedRequest, makeLines, requestOf, waitingMaxChars } from "../../src/Http/RequestLog.ts"
import { Visit } from "../../src/Http/Visit.ts"

const visit = (headers: Record<string, string> = {}, method = "GET"): Visit =>
  new Visit({ method, headers, socket: "10.0.0.7" }, ClientAddress.make([]), 1_000)

const logged = (more: Partial<LoggedRequest>): LoggedRequest => ({ ...requestOf(visit(), 200, 1, 0), ...more })

describe("a line of the log of requests", () => {
  it("holds the route, the answer, who asked, and the trace", () => {
    const id = "0af7651916cd43dd8448eb211c80319c"
    const seen = visit({ traceparent: `00-${id}-b7ad6b7169203331-01`, authorization: "Bearer secret" })
    seen.route = "/api/notes/:id"
    seen.principal = "key:abc"
    seen.problem = "not-found"
    assert.deepStrictEqual(JSON.parse(logLine(requestOf(seen, 404, 1.2345, 0))), {
      at: "1970-01-01T00:00:00.000Z",
      method: "GET",
      route: "/api/notes/:id",
      status: 404,
      problem: "not-found",
      ms: 1.23,
      principal: "key:abc",
      address: "10.0.0.7",
      trace: id
    })
  })

  it("takes a trace only from a traceparent as it is specified (W3C Trace Context §3.2)", () => {
    for (const traceparent of [
      "",
      "00-0af7651916cd43dd8448eb211c80319c",
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      '"}\n{"status":200'
    ]) {
      assert.isNull(requestOf(visit({ traceparent }), 200, 1, 0).trace, traceparent)
    }
  })

  it("stays one line of printable text, whatever a principal or a method is called", () => {
    const evil =
      'x"}\r\n{"status":200,"principal":"root"}\u001b[2J\u009b2J\u007f\u0085\u2028\u2029\u0000\u202e\u2066\u{e0041}'
    const line = logLine(logged({ principal: evil }))
    assert.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    assert.strictEqual(JSON.parse(line).principal, evil)
    assert.strictEqual(JSON.parse(line).status, 200)
    assert.strictEqual(requestOf(visit({}, "GET\n{}"), 200, 1, 0).method, "other")
  })
})

describe("the lines of requests", () => {
  it.live("go out together, and the last ones when the node ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const written: Array<string> = []
      const log = yield* Scope.provide(
        makeLines((lines, done) => {
          written.push(lines)
          done()
        }),
        scope
      )
      for (let count = 0; count < 3; count++) log(logged({ status: 200 + count }))
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(written, 1)
      assert.deepStrictEqual(
        written[0]
          ?.trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line).status),
        [200, 201, 202]
      )
    })
  )

  it.live("are dropped and counted while the output takes none", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const written: Array<string> = []
      let done = (): void => {}
      const log = yield* Scope.provide(
        makeLines((lines, end) => {
          written.push(lines)
          done = end
        }),
        scope
      )
      const line = `${logLine(logged({}))}\n`
      const fitting = Math.ceil(waitingMaxChars / line.length)
      log(logged({}))
      while (written.length === 0) yield* Effect.sleep("5 millis")
      for (let count = 0; count < 2 * fitting; count++) log(logged({}))
      assert.lengthOf(written, 1)
      done()
      while (written.length === 1) yield* Effect.sleep("5 millis")
      assert.isAtMost(written[1]?.length ?? 0, waitingMaxChars + 100)
      const last = written[1]?.trimEnd().split("\n").at(-1) ?? ""
      assert.isAtLeast(JSON.parse(last).dropped, fitting - 1)
      yield* Scope.close(scope, Exit.void)
    })
  )
})

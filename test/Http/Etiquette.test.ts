import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { closeIfUnread, listenToErrors, refusalOf } from "../../src/Http/Etiquette.ts"
import { problem, toResponse } from "../../src/Problem.ts"

/** A request as `node:http` gives it, as far as it is looked at. */
const requestWith = (source: {
  readonly rawHeaders?: ReadonlyArray<string>
  readonly httpVersion?: string
  readonly complete?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly stream?: Stream.Stream<Uint8Array>
}): HttpServerRequest.HttpServerRequest => {
  const web = HttpServerRequest.fromWeb(new Request("http://a/", { headers: source.headers ?? {} }))
  return Object.create(web, {
    source: { value: { httpVersion: "1.1", rawHeaders: ["Host", "a"], ...source } },
    headers: { value: source.headers ?? {} },
    stream: { value: source.stream ?? Stream.empty }
  })
}

const refusedBy = (...rawHeaders: ReadonlyArray<string>) => refusalOf(requestWith({ rawHeaders }))?.kind

describe("Etiquette", () => {
  for (const host of [
    "a",
    "a:1",
    "a:",
    "A-1.example",
    "127.0.0.1:8081",
    "[::1]",
    "[::1]:8081",
    "[v1.a]",
    "a%41",
    "_a~!$"
  ]) {
    it(`takes ${host} as Host (RFC 3986 §3.2.2)`, () => assert.isUndefined(refusedBy("host", host)))
  }
  for (const host of [
    "",
    " ",
    "a b",
    "a/",
    "a?b",
    "a#b",
    "u@a",
    "a:b",
    "a:1:2",
    "::1",
    "[::1",
    "[]",
    "[g]",
    "%4",
    "a\\b",
    "é"
  ]) {
    it(`refuses "${host}" as Host`, () => assert.strictEqual(refusedBy("Host", host), "invalid-request"))
  }

  it("asks for one Host, but of HTTP/1.0 (RFC 9112 §3.2)", () => {
    assert.strictEqual(refusedBy(), "invalid-request")
    assert.strictEqual(refusedBy("Host", "a", "x", "host", "HOST", "a"), "invalid-request")
    assert.isUndefined(refusalOf(requestWith({ rawHeaders: [], httpVersion: "1.0" })))
    assert.isUndefined(refusalOf(HttpServerRequest.fromWeb(new Request("http://a/"))), "another platform's request")
  })

  it("meets no expectation but 100-continue (RFC 9110 §10.1.1)", () => {
    const expecting = (expect: string, httpVersion = "1.1") =>
      refusalOf(requestWith({ headers: { expect }, httpVersion }))?.status
    assert.isUndefined(expecting("100-Continue"))
    assert.strictEqual(expecting("foo"), 417)
    assert.isUndefined(expecting("foo", "1.0"))
  })

  it("listens to the errors of a request of any platform", () =>
    listenToErrors(HttpServerRequest.fromWeb(new Request("http://a/"))))

  const tooLarge = toResponse(problem("too-large", "The body is larger than 1 bytes", {}))

  it.effect("sends a refusal whole before it reads the rest of the body, and says that it closes", () =>
    Effect.gen(function* () {
      let readCount = 0
      const rest = Stream.tap(Stream.make(new Uint8Array(3), new Uint8Array(4)), () =>
        Effect.sync(() => {
          readCount += 1
        })
      )
      const request = requestWith({ complete: false, headers: { "content-length": "7" }, stream: rest })
      const response = closeIfUnread(request, tooLarge)
      assert.strictEqual(response.headers.connection, "close")
      assert.strictEqual(response.headers["content-length"], tooLarge.headers["content-length"])
      if (response.body._tag !== "Stream") return assert.fail("it is no stream")
      const first = yield* Stream.runCollect(Stream.take(response.body.stream, 1))
      assert.strictEqual(readCount, 0)
      assert.strictEqual(`${first[0]?.length}`, tooLarge.headers["content-length"])
      yield* Stream.runDrain(response.body.stream)
      return assert.strictEqual(readCount, 2)
    })
  )

  it("leaves an answer as it is where the body was read, where there is none, and where nothing was refused", () => {
    const headers = { "content-length": "7" }
    assert.strictEqual(closeIfUnread(requestWith({ complete: true, headers }), tooLarge), tooLarge)
    assert.strictEqual(closeIfUnread(requestWith({ complete: false }), tooLarge), tooLarge)
    const done = HttpServerResponse.jsonUnsafe({})
    assert.strictEqual(closeIfUnread(requestWith({ complete: false, headers }), done), done)
  })
})

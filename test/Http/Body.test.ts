import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { HttpServerRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { jsonMediaTypes, parseJson, patchMediaTypes, Reserve, readJson } from "../../src/Http/Body.ts"
import { AwaitedBodies, IsLeaving, make as makeBodies } from "../../src/Http/BodyDeadline.ts"
import { depthMax } from "../../src/Model/PlainJson.ts"
import { problem } from "../../src/Problem.ts"

const request = (options: {
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream
  readonly type?: string
  readonly length?: string
}) => {
  const headers = new Headers()
  if (options.type !== undefined) headers.set("content-type", options.type)
  if (options.length !== undefined) headers.set("content-length", options.length)
  const init = { method: "POST", headers, body: options.body, duplex: "half" }
  const web = new Request("http://localhost/api/products", init)
  // A string body gives the request a content type of its own.
  if (options.type === undefined) web.headers.delete("content-type")
  return HttpServerRequest.fromWeb(web)
}

const json = "application/json"
const read = (options: Parameters<typeof request>[0], sizeMaxBytes?: number) =>
  Effect.map(
    readJson(request(options), {
      mediaTypes: jsonMediaTypes,
      ...(sizeMaxBytes === undefined ? {} : { sizeMaxBytes })
    }),
    ({ data }) => data
  )

describe("reading a body", () => {
  for (const type of [json, "Application/JSON", `${json}; charset=utf-8`, `${json};charset="UTF-8"`, `${json}; v=1`]) {
    it.effect(`takes ${type} (RFC 9110 §8.3)`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* read({ body: `{"name":"é"}`, type }), { name: "é" })
      })
    )
  }

  for (const type of [undefined, "", "text/plain", "application/merge-patch+json", "json", `${json}; charset=latin1`]) {
    it.effect(`refuses the content type ${type} with 415`, () =>
      Effect.gen(function* () {
        const met = yield* Effect.flip(read({ body: "{}", ...(type === undefined ? {} : { type }) }))
        assert.strictEqual(met.kind, "unsupported-media-type")
      })
    )
  }

  for (const type of patchMediaTypes) {
    it.effect(`takes ${type} for a patch (RFC 7396 §4)`, () =>
      Effect.gen(function* () {
        const { bytes, data } = yield* readJson(request({ body: `{"a":null}`, type }), { mediaTypes: patchMediaTypes })
        assert.deepStrictEqual(data, { a: null })
        assert.strictEqual(new TextDecoder().decode(bytes), `{"a":null}`)
      })
    )
  }

  it.effect("takes a body of exactly the limit and refuses one byte more with 413", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* read({ body: `"12345678"`, type: json }, 10), "12345678")
      const met = yield* Effect.flip(read({ body: `"123456789"`, type: json }, 10))
      assert.strictEqual(met.kind, "too-large")
    })
  )

  it.effect("stops reading a stream without a declared size at the limit", () =>
    Effect.gen(function* () {
      let pulledCount = 0
      const endless = new ReadableStream({
        pull(controller) {
          pulledCount++
          controller.enqueue(new Uint8Array(1024).fill(0x20))
        }
      })
      const met = yield* Effect.flip(read({ body: endless, type: json }, 4096))
      assert.strictEqual(met.kind, "too-large")
      assert.isBelow(pulledCount, 16)
    })
  )

  it.effect("waits 10 s for a body that was announced, with 408 after that, and the connection is to end", () =>
    Effect.gen(function* () {
      const dripping = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(7).fill(0x20)) })
      let reservedBytes = 0
      const reserve = (bytes: number) =>
        Effect.sync(() => {
          reservedBytes += bytes
        })
      const reading = yield* read({ body: dripping, type: json, length: "100000" }).pipe(
        Effect.provideService(Reserve, reserve),
        Effect.provideService(AwaitedBodies, yield* makeBodies),
        Effect.flip,
        Effect.forkChild
      )
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("9900 millis")
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("100 millis")
      const met = yield* Fiber.join(reading)
      assert.deepStrictEqual([met.kind, met.status, met.headers.connection], ["request-timeout", 408, "close"])
      assert.strictEqual(reservedBytes, 7, "room is taken by what has come, not by what is announced")
    })
  )

  it.effect("waits for none that does not come once the node is about to go", () =>
    Effect.gen(function* () {
      let isLeaving = false
      const reading = yield* read({ body: new ReadableStream(), type: json, length: "1000" }).pipe(
        Effect.provideService(IsLeaving, () => isLeaving),
        Effect.provideService(AwaitedBodies, yield* makeBodies),
        Effect.flip,
        Effect.forkChild
      )
      yield* TestClock.adjust("1 second")
      assert.isUndefined(reading.pollUnsafe())
      isLeaving = true
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Fiber.join(reading)).kind, "draining")
    })
  )

  it.effect("stops reading when there is no room for more", () =>
    Effect.gen(function* () {
      const full = problem("overloaded", "full", { definite: true })
      const met = yield* read({ body: "{}", type: json }).pipe(
        Effect.provideService(Reserve, () => Effect.fail(full)),
        Effect.flip
      )
      assert.strictEqual(met, full)
    })
  )

  it.effect("joins the parts of a body", () =>
    Effect.gen(function* () {
      const parts = [`{"na`, `me":"`, "é", `"}`].map((part) => new TextEncoder().encode(part))
      const body = new ReadableStream({
        pull(controller) {
          const part = parts.shift()
          if (part === undefined) controller.close()
          else controller.enqueue(part)
        }
      })
      assert.deepStrictEqual(yield* read({ body, type: json }), { name: "é" })
    })
  )

  it.effect("refuses a declared size above the limit without reading", () =>
    Effect.gen(function* () {
      const met = yield* Effect.flip(read({ body: "{}", type: json, length: "11" }, 10))
      assert.strictEqual(met.kind, "too-large")
    })
  )
})

describe("parsing a body", () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth)

  const valid: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    [`"[[{{"`, "[[{{"],
    [`"\\"[["`, `"[[`],
    [` {"a":[1]} `, { a: [1] }],
    [`"\\ud83d\\ude00"`, "😀"]
  ]
  for (const [text, expected] of valid) {
    it(`reads ${text}`, () => assert.deepStrictEqual(Result.getOrThrow(parseJson(bytes(text))), expected))
  }

  it("reads __proto__ as ordinary data, changing no prototype", () => {
    const value = Result.getOrThrow(parseJson(bytes(`{"__proto__":{"admin":true}}`)))
    assert.isTrue(Object.hasOwn(value as object, "__proto__"))
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
  })

  for (const text of ["", " ", "{", "{a:1}", "[1,]", "'a'", "NaN", "{} {}", `"\\ud83d"`, `{"\\uDE00":1}`, `"\n"`]) {
    it(`refuses ${JSON.stringify(text)} with 400 (RFC 8259)`, () => {
      const result = parseJson(bytes(text))
      assert.strictEqual(Result.isFailure(result) ? result.failure.kind : "read", "invalid-request")
    })
  }

  for (const damaged of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22]
  ]) {
    it(`refuses the invalid UTF-8 ${damaged.map((it) => it.toString(16)).join(" ")} with 400`, () => {
      const result = parseJson(Uint8Array.from(damaged))
      assert.strictEqual(Result.isFailure(result) ? result.failure.detail : "read", "The body is not valid UTF-8")
    })
  }

  it("reads the deepest nesting allowed and refuses one level more, or a million", () => {
    assert.isTrue(Result.isSuccess(parseJson(bytes(deep(depthMax)))))
    assert.isTrue(Result.isFailure(parseJson(bytes(deep(depthMax + 1)))))
    assert.isTrue(Result.isFailure(parseJson(bytes("[".repeat(1_000_000)))))
  })
})

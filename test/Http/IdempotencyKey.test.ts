import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { fingerprintOf, parseKey } from "../../src/Http/IdempotencyKey.ts"
import { keyLengthMax } from "../../src/Machine/RequestKey.ts"

describe("the idempotency key", () => {
  const longest = "k".repeat(keyLengthMax)
  for (const key of [undefined, "k", longest, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "__proto__"]) {
    it(`is taken as it is: ${String(key).slice(0, 40)}`, () =>
      assert.strictEqual(Result.getOrThrow(parseKey(key)), key))
  }

  for (const key of ["", " ", "a b", "one, two", "é", `${longest}k`, "tab\t"]) {
    it(`is refused with 400: ${JSON.stringify(key).slice(0, 40)}`, () => {
      const parsed = parseKey(key)
      assert.strictEqual(Result.isFailure(parsed) ? parsed.failure.kind : "taken", "invalid-request")
    })
  }
})

describe("the fingerprint of a request", () => {
  const first = { method: "PUT", url: "/api/products/1", headers: { "if-match": `"1"` }, body: "{}" }
  const of = ({ body, ...request }: Omit<typeof first, "headers"> & { readonly headers: Record<string, string> }) =>
    fingerprintOf(request, new TextEncoder().encode(body))

  it("is the same for the same request, whatever else its headers say", () =>
    assert.strictEqual(of({ ...first, headers: { ...first.headers, accept: "*/*" } }), of(first)))

  const others = [
    { ...first, method: "PATCH" },
    { ...first, url: "/api/products/2" },
    { ...first, headers: {} },
    { ...first, headers: { "if-none-match": `"1"` } },
    { ...first, body: "{ }" },
    { ...first, headers: { "if-match": `"1"`, "if-none-match": "*" } }
  ]
  for (const [at, other] of others.entries()) {
    it(`tells method, target, conditions and body apart (${at})`, () => assert.notStrictEqual(of(other), of(first)))
  }
})

import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import { type CursorValue, decodeCursor, encodeCursor, listFingerprint, nextLink } from "../../src/Http/Cursor.ts"

describe("cursors", () => {
  const keys: ReadonlyArray<ReadonlyArray<CursorValue>> = [
    ["id-1"],
    [null, "id-1"],
    [1.5, true, 'é😀"\\', "id-1"],
    ["__proto__", "id"],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "NaN", "id"]
  ]
  for (const lastKey of keys) {
    it(`resumes after ${JSON.stringify(lastKey)}`, () => {
      const cursor = encodeCursor({ fingerprint: "f", lastKey })
      assert.match(cursor, /^[A-Za-z0-9_-]+$/)
      const decoded = decodeCursor(cursor, { fingerprint: "f", keyCount: lastKey.length })
      assert.deepStrictEqual(Result.getOrThrow(decoded), lastKey)
    })
  }

  const foreign: ReadonlyArray<readonly [string, string]> = [
    ["of another list", encodeCursor({ fingerprint: "g", lastKey: ["id"] })],
    ["with too few values", encodeCursor({ fingerprint: "f", lastKey: [] })],
    ["with too many values", encodeCursor({ fingerprint: "f", lastKey: ["a", "id"] })],
    ["with an object for a value", Base64Url.encode(`[2,"f",{"a":1}]`)],
    ["of an older layout", Base64Url.encode(`[1,"f","id"]`)],
    ["that is no array", Base64Url.encode(`{"v":1}`)],
    ["that is null", Base64Url.encode("null")],
    ["that is no JSON", Base64Url.encode("[1")],
    ["that is no base64", "!!"],
    ["that is empty", ""]
  ]
  for (const [what, cursor] of foreign) {
    it(`refuses a cursor ${what}`, () => {
      assert.isTrue(Result.isFailure(decodeCursor(cursor, { fingerprint: "f", keyCount: 1 })))
    })
  }

  it("names a list the same way on every node and runtime (FNV-1a)", () => {
    // Worked out by another implementation, over the bytes `[]` and `["products"]`.
    assert.strictEqual(listFingerprint([]), "09612b07b5ecb5a5")
    assert.strictEqual(listFingerprint(["products"]), "5c87bf508a9696d5")
    assert.notStrictEqual(listFingerprint(["a"]), listFingerprint(["b"]))
  })

  it("links to the next page with the same parameters and another cursor (RFC 8288)", () => {
    const link = nextLink({
      pathname: "/api/products",
      params: [
        ["name", "like.a&b*"],
        ["cursor", "old"]
      ],
      cursor: "new"
    })
    assert.strictEqual(link, `</api/products?name=like.a%26b*&cursor=new>; rel="next"`)
  })
})

/** JSON that nobody else holds: what is let through is what a log gives back, and nothing that it was made of changes it. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { copyOf, depthMax, plainJson } from "../../src/Model/PlainJson.ts"

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value }
  return value
}

const errorOf = (value: unknown) =>
  Result.match(plainJson(value), { onSuccess: () => undefined, onFailure: ([error]) => error })

describe("plainJson", () => {
  it("gives the same as JSON.parse of the text", () => {
    const proto = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')
    for (const value of [null, true, "ß 🐜", 1.5, -0, [], {}, [1, [2, { a: [null] }]], { b: 1, a: 2 }, proto]) {
      const made = Result.getOrThrow(plainJson(value))
      assert.deepStrictEqual(made, JSON.parse(JSON.stringify(value)))
      assert.strictEqual(JSON.stringify(copyOf(made)), JSON.stringify(value))
    }
    assert.notProperty({}, "polluted")
  })

  it("shares nothing with its source", () => {
    const value = { tags: ["a"], deep: { list: [1] } }
    const made = Result.getOrThrow(plainJson(value))
    const copied = copyOf(made)
    value.tags.push("b")
    value.deep.list.length = 0
    assert.deepStrictEqual(made, { tags: ["a"], deep: { list: [1] } })
    assert.deepStrictEqual(copied, made)
  })

  it("names the place of a value that is not JSON", () => {
    for (const value of [
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1n,
      () => 1,
      new Date(0),
      new Map(),
      "\ud800"
    ]) {
      assert.strictEqual(errorOf({ a: [0, { b: value }] })?.path, "a.1.b", String(value))
    }
    assert.strictEqual(errorOf({ "\udc00": 1 })?.path, "")
    // biome-ignore lint/suspicious/noSparseArray: a hole is none of JSON's values
    assert.strictEqual(errorOf([1, , 3])?.path, "1")
  })

  it("ends, whatever refers to itself or is shared, at a bound", () => {
    assert.isUndefined(errorOf(nested(depthMax)))
    assert.isDefined(errorOf(nested(depthMax + 1)))
    assert.isDefined(errorOf(nested(100_000)))
    const circle: Array<unknown> = []
    circle.push(circle)
    assert.isDefined(errorOf(circle))
    let doubled: unknown = 1
    for (let at = 0; at < 40; at++) doubled = [doubled, doubled]
    assert.isDefined(errorOf(doubled))
  })
})

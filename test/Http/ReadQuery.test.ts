import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parseParams, refuseOthers } from "../../src/Http/Params.ts"
import { parseConsistency, readParameters } from "../../src/Http/ReadQuery.ts"
import type { Consistency } from "../../src/Repository/Freshness.ts"

describe("the query of a request", () => {
  const valid: ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, string]>]> = [
    ["/a", []],
    ["/a?", []],
    ["/a?&&", []],
    ["/a?b", [["b", ""]]],
    ["/a?b=", [["b", ""]]],
    [
      "/a?b=c=d&b=e",
      [
        ["b", "c=d"],
        ["b", "e"]
      ]
    ],
    ["/a?b=c+d%2B%20e", [["b", "c d+ e"]]],
    ["/a?%62=%C3%A9", [["b", "é"]]],
    ["/a?__proto__=1", [["__proto__", "1"]]]
  ]
  for (const [url, expected] of valid) {
    it(`${url} is read`, () => assert.deepStrictEqual(Result.getOrThrow(parseParams(url)), expected))
  }

  for (const url of ["/a?%", "/a?b=%zz", "/a?b=%ff", "/a?b=%ed%a0%80", "/a?b=%c3"]) {
    it(`${url} is no text, and 400`, () => {
      const parsed = parseParams(url)
      assert.strictEqual(Result.isFailure(parsed) ? parsed.failure.kind : "read", "invalid-request")
    })
  }

  it("is refused where it is not known", () => {
    assert.isTrue(Result.isSuccess(refuseOthers([["consistency", "local"]], readParameters)))
    const refused = refuseOthers([["at", "1"]], readParameters)
    assert.deepStrictEqual(Result.isFailure(refused) ? refused.failure.members.errors : [], [
      { path: "at", message: "is not a parameter here: leave it out" }
    ])
  })
})

describe("the consistency of a read", () => {
  const valid: ReadonlyArray<readonly [string, string | undefined, Consistency]> = [
    ["", undefined, { _tag: "Linearizable" }],
    ["name=eq.x", undefined, { _tag: "Linearizable" }],
    ["consistency=linearizable", "7", { _tag: "Linearizable" }],
    ["consistency=session", "7", { _tag: "Session", minIndex: 7 }],
    ["consistency=session", undefined, { _tag: "Session", minIndex: 0 }],
    ["consistency=local", "7", { _tag: "Local" }],
    ["consistency=local&max-stale=0", undefined, { _tag: "Local", staleMaxMs: 0 }]
  ]
  const read = (query: string, minIndex: string | undefined) =>
    parseConsistency(Result.getOrThrow(parseParams(`/a?${query}`)), minIndex)

  for (const [query, minIndex, expected] of valid) {
    it(`${query} with ${minIndex} is ${expected._tag}`, () =>
      assert.deepStrictEqual(Result.getOrThrow(read(query, minIndex)), expected))
  }

  const invalid: ReadonlyArray<readonly [string, string | undefined, string]> = [
    ["consistency=", undefined, "consistency"],
    ["consistency=Local", undefined, "consistency"],
    ["consistency=local&consistency=session", undefined, "consistency"],
    ["max-stale=1", undefined, "max-stale"],
    ["consistency=local&max-stale=-1", undefined, "max-stale"],
    ["consistency=local&max-stale=", undefined, "max-stale"],
    ["consistency=local&max-stale=1&max-stale=2", undefined, "max-stale"],
    ["consistency=session", "x", "Lithair-Min-Index"],
    ["consistency=session", "", "Lithair-Min-Index"],
    ["consistency=session", "1e3", "Lithair-Min-Index"]
  ]
  for (const [query, minIndex, path] of invalid) {
    it(`${query} with ${minIndex} is 400 and names ${path}`, () => {
      const met = read(query, minIndex)
      assert.isTrue(Result.isFailure(met))
      if (!Result.isFailure(met)) return
      const errors = met.failure.members.errors as ReadonlyArray<{ readonly path: string }>
      assert.deepStrictEqual(
        errors.map((each) => each.path),
        [path]
      )
    })
  }
})

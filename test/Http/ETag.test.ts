import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  type Condition,
  formatETag,
  ifMatchHolds,
  ifNoneMatchHolds,
  parseCondition,
  parseRecordTag,
  type RecordTag
} from "../../src/Http/ETag.ts"

const condition = (value: string): Condition => Result.getOrThrow(parseCondition("If-Match", value))
const strong = (opaque: string) => ({ weak: false, opaque })

describe("entity tags", () => {
  const tags: ReadonlyArray<readonly [RecordTag, string]> = [
    [{ version: 1 }, `"1"`],
    [{ version: 9007199254740991 }, `"9007199254740991"`],
    [{ version: 5, modelVersion: 3 }, `"5;3"`],
    [{ version: 3, modelVersion: 2, local: { instance: "n1", revision: 4 } }, `"3;2.n1.4"`],
    [{ version: 3, local: { instance: "0198f2", revision: 0 } }, `"3.0198f2.0"`],
    [{ version: 3, local: { instance: "127.0.0.1:8081", revision: 12 } }, `"3.127.0.0.1:8081.12"`]
  ]
  for (const [tag, text] of tags) {
    it(`writes ${text} and reads it back`, () => {
      assert.strictEqual(formatETag(tag), text)
      assert.deepStrictEqual(parseRecordTag(text.slice(1, -1)), tag)
    })
  }

  for (const opaque of [
    "",
    "0",
    "01",
    "-1",
    "1;",
    "1;0",
    "1;a",
    "1;2;3",
    "1.5",
    "1.a",
    "1..2",
    "1.a.",
    "1.a.01",
    "abc",
    "9007199254740993",
    "1 "
  ]) {
    it(`finds no version in "${opaque}"`, () => assert.isUndefined(parseRecordTag(opaque)))
  }

  it("never writes a version below 1", () => assert.throws(() => formatETag({ version: 0 })))
})

describe("conditions", () => {
  const valid: ReadonlyArray<readonly [string, Condition]> = [
    ["*", { _tag: "Any" }],
    [" * ", { _tag: "Any" }],
    [`"1"`, { _tag: "Tags", tags: [strong("1")] }],
    [`W/"1"`, { _tag: "Tags", tags: [{ weak: true, opaque: "1" }] }],
    [`"1", "2" ,W/"a,b"`, { _tag: "Tags", tags: [strong("1"), strong("2"), { weak: true, opaque: "a,b" }] }],
    [`, "1",, `, { _tag: "Tags", tags: [strong("1")] }],
    [`""`, { _tag: "Tags", tags: [strong("")] }]
  ]
  for (const [text, expected] of valid) {
    it(`reads ${text} (RFC 9110 §8.8.3)`, () => assert.deepStrictEqual(condition(text), expected))
  }

  for (const text of ["", " ", ",", "1", `"1`, `1"`, `"1" "2"`, `w/"1"`, `W/ "1"`, `*, "1"`, `"1", *`, `"a b"`, "**"]) {
    it(`calls ${JSON.stringify(text)} malformed`, () => {
      const result = parseCondition("If-Match", text)
      assert.isTrue(Result.isFailure(result))
    })
  }

  it("gives up on a hostile header without trying every split of its white space", () => {
    // Quadratic matching of a mebibyte would outlast the test's own limit by far.
    assert.isTrue(Result.isFailure(parseCondition("If-Match", `"1",${" ".repeat(1024 * 1024)}x`)))
  })

  const local = (revision: number, instance = "n1"): RecordTag => ({ version: 3, local: { instance, revision } })
  const matches: ReadonlyArray<readonly [string, RecordTag | undefined, boolean, boolean]> = [
    ["*", { version: 3 }, false, true],
    ["*", undefined, false, false],
    [`"3"`, undefined, false, false],
    [`"3"`, { version: 3 }, false, true],
    [`"2"`, { version: 3 }, false, false],
    [`"3"`, { version: 3, modelVersion: 2 }, false, true],
    [`"3;1"`, { version: 3, modelVersion: 2 }, false, true],
    [`"2", "3"`, { version: 3 }, false, true],
    [`W/"3"`, { version: 3 }, false, false],
    [`"abc"`, { version: 3 }, false, false],
    [`"3"`, local(7), true, true],
    [`"3.n1.6"`, local(7), true, false],
    [`"3.n1.6"`, local(7), false, true],
    [`"3.n1.7"`, local(7), true, true],
    [`"3.n2.6"`, local(7), true, true],
    [`"2.n1.7"`, local(7), true, false]
  ]
  for (const [text, current, compareRevision, holds] of matches) {
    const on = current === undefined ? "an absent record" : formatETag(current)
    it(`If-Match: ${text} ${holds ? "holds" : "fails"} on ${on}${compareRevision ? " for local parts" : ""}`, () =>
      assert.strictEqual(ifMatchHolds({ condition: condition(text), current, compareRevision }), holds))
  }

  const noneMatches: ReadonlyArray<readonly [string, RecordTag | undefined, boolean]> = [
    ["*", undefined, true],
    ["*", { version: 1 }, false],
    [`"3"`, { version: 3, modelVersion: 2 }, true],
    [`"3;2"`, { version: 3, modelVersion: 2 }, false],
    [`"3"`, { version: 3 }, false],
    [`W/"3"`, { version: 3 }, false],
    [`"2"`, { version: 3 }, true],
    [`"3"`, local(7), true],
    [`"3.n1.7"`, local(7), false],
    [`"3"`, undefined, true]
  ]
  for (const [text, current, holds] of noneMatches) {
    const on = current === undefined ? "an absent record" : formatETag(current)
    it(`If-None-Match: ${text} ${holds ? "holds" : "fails"} on ${on} (RFC 9110 §13.1.2)`, () =>
      assert.strictEqual(ifNoneMatchHolds({ condition: condition(text), current }), holds))
  }
})

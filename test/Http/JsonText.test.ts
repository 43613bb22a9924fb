import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { parseJson } from "../../src/Http/Body.ts"
import { isExact } from "../../src/Http/JsonText.ts"

const parse = (text: string) => parseJson(new TextEncoder().encode(text))
const refusalOf = (text: string): string => {
  const parsed = parse(text)
  assert.isTrue(Result.isFailure(parsed), text)
  return Result.isFailure(parsed) ? parsed.failure.detail : ""
}

describe("numbers of a JSON text (docs/http.md, Bodies)", () => {
  const exact = [
    ...[
      "0",
      "-0",
      "0.0",
      "0e9999999999",
      "1",
      "1.0",
      "1.10",
      "1e2",
      "1E+2",
      "100e-2",
      "0.1",
      "-0.1",
      "0.30000000000000004"
    ],
    ...["9007199254740991", "9007199254740992", "9007199254740994", "123456789012345680000", "1e21", "1e308", "5e-324"],
    ...["1.7976931348623157e308", "1.7976931348623157E308", "2.2250738585072014e-308", "179769313486231570000e288"],
    `1${"0".repeat(300)}`,
    `0.${"0".repeat(300)}1`,
    `1.5${"0".repeat(100_000)}`
  ]
  for (const number of exact) {
    it(`takes ${number.slice(0, 40)}, which a double holds`, () => {
      assert.isTrue(isExact(number))
      assert.deepStrictEqual(parse(`{"a":[${number},2]}`), Result.succeed({ a: [Number(number), 2] }))
    })
  }

  const inexact = [
    ...["9007199254740993", "-9007199254740993", "9007199254740993.0", "90071992547409930e-1", "0.1000000000000000055"],
    ...[
      "0.30000000000000001",
      "123456789012345678901",
      "1e400",
      "-1e309",
      "1e-400",
      "4e-324",
      "1.7976931348623159e308"
    ],
    "1e99999999999999999999",
    `1${"0".repeat(308)}1`,
    `0.${"3".repeat(100_000)}`
  ]
  for (const number of inexact) {
    it(`refuses ${number.slice(0, 40)}, which becomes another number`, () => {
      assert.isFalse(isExact(number))
      assert.include(refusalOf(`{"a":[${number}]}`), number.slice(0, 40))
    })
  }

  it("looks at no number within a text, and leaves what is no JSON to the parser", () => {
    assert.deepStrictEqual(
      parse(`{"1e400":"9007199254740993 \\" 1e400"}`),
      Result.succeed({ "1e400": '9007199254740993 " 1e400' })
    )
    for (const text of ["01", "1.", ".5", "+1", "1e", "--1", "1-1", "Infinity", "0x10", "1_000", "9007199254740993x"]) {
      assert.include(refusalOf(text), "not valid JSON", text)
    }
  })

  it.prop("takes every number as JSON writes it", [Schema.Finite], ([number]) => {
    assert.isTrue(isExact(JSON.stringify(number)))
  })
})

describe("keys of a JSON text (docs/http.md, Bodies)", () => {
  const repeated: ReadonlyArray<readonly [string, string]> = [
    ['{"a":1,"a":1}', "a"],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"":1,"":2}', ""],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
    ['[{"b":1},{"b":2,"c":{"d":1,"d":{}}}]', "d"],
    // The parser drops the first `a`, and what it holds.
    ['{"a":{"b":1,"c":2},"a":{"b":1}}', "a"],
    ['{"a":":","b":"\\"a\\":1","a":null}', "a"]
  ]
  for (const [text, key] of repeated) {
    it(`refuses ${text}`, () => assert.include(refusalOf(text), `the key ${JSON.stringify(key)} twice`))
  }

  for (const text of [
    '{"a":1,"A":2,"a ":3}',
    '[{"a":1},{"a":2}]',
    '{"a":{"a":{"a":":"}}}',
    '{"constructor":1,"__proto__":{"a":1}}',
    '{"a":"b\\"\\\\","c":"{\\"a\\":1}"}',
    // One letter, composed and decomposed: two keys.
    '{"\u00e9":1,"e\u0301":2}'
  ]) {
    it(`takes ${text}`, () => assert.deepStrictEqual(parse(text), Result.succeed(JSON.parse(text))))
  }

  it("looks at a megabyte of keys, of digits or of quotes in linear time", () => {
    const keys = Array.from({ length: 60_000 }, (_, at) => `"key${at}":${at}`).join(",")
    const texts = [
      `{${keys}}`,
      `{${keys},"key0":1}`,
      "9".repeat(1_000_000),
      `"${'\\"'.repeat(500_000)}"`,
      '"'.repeat(1_000_000)
    ]
    for (const text of texts) {
      const startedMs = performance.now()
      parse(text)
      assert.isBelow(performance.now() - startedMs, 2_000)
    }
  })
})

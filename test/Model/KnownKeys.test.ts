import { assert, describe, it } from "@effect/vitest"
import { Result, Schema, SchemaTransformation } from "effect"
import { decoder } from "../../src/Model/Decoder.ts"
import { jsonCodec } from "../../src/Model/JsonCodec.ts"
import { jsonEncoder } from "../../src/Model/JsonEncoder.ts"
import { knownKeysOf } from "../../src/Model/KnownKeys.ts"

const Short = Schema.Struct({ a: Schema.String })
const Long = Schema.Struct({ a: Schema.String, b: Schema.optionalKey(Schema.Finite) })
class Point extends Schema.Class<Point>("Point")({ x: Schema.Finite }) {}

const strict = { errors: "all", onExcessProperty: "error" } as const

/** Each with JSON that it takes. */
const schemas: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, Schema.Json]> = [
  ["fields", Long, { a: "x", b: 1 }],
  [
    "a nested record",
    Schema.Struct({ inner: Long, list: Schema.Array(Short) }),
    { inner: { a: "x" }, list: [{ a: "y" }] }
  ],
  ["a check over fields", Long.check(Schema.makeFilter(({ a, b }) => a !== "no" && b !== 2)), { a: "x", b: 1 }],
  [
    "texts that become others",
    Schema.Struct({ at: Schema.DateTimeUtc, on: Schema.Date }),
    { at: "2026-01-02T03:04:05Z", on: "2026-01-02T03:04:05Z" }
  ],
  // Without excess keys it is the second, and with them dropped it would be the first.
  ["one of two records", Schema.Union([Short, Long]), { a: "x", b: 1 }],
  [
    "one of two texts",
    Schema.Struct({ kind: Schema.Literals(["a", "b"]), size: Schema.NullOr(Schema.Finite) }),
    { kind: "a", size: null }
  ],
  ["a class", Schema.Struct({ point: Point }), { point: { x: 1 } }],
  ["any keys", Schema.Struct({ map: Schema.Record(Schema.String, Short) }), { map: { k: { a: "x" } } }],
  ["anything", Schema.Struct({ any: Schema.Unknown }), { any: { z: [1] } }],
  ["a tuple", Schema.Tuple([Short, Schema.Finite]), [{ a: "x" }, 1]],
  // The key that the transformation adds is excess to the second record.
  [
    "a record that becomes another",
    Short.pipe(
      Schema.decodeTo(
        Schema.Struct({ a: Schema.String }),
        SchemaTransformation.transform({
          decode: ({ a }) => (a === "x" ? { a, more: 1 } : { a }),
          encode: ({ a }) => (a === "x" ? { a, more: 1 } : { a })
        })
      )
    ),
    { a: "x" }
  ]
]

/** The value, and variants of it: with a key more or less, and with another member, at any depth. */
function* variants(json: unknown): Generator<unknown> {
  yield json
  if (typeof json !== "object" || json === null) {
    yield* [null, 2, "no", [], {}]
    return
  }
  if (Array.isArray(json)) {
    yield [...json, json[0]]
    yield json.slice(1)
    for (const [at, item] of json.entries()) for (const each of variants(item)) yield json.with(at, each)
    return
  }
  for (const key of ["excess", "constructor", "b"]) yield { ...json, [key]: 1 }
  for (const [key, member] of Object.entries(json)) {
    const { [key]: _, ...rest } = json as Record<string, unknown>
    yield rest
    for (const each of variants(member)) yield { ...json, [key]: each }
  }
}

describe("a value whose keys are known", () => {
  for (const [name, schema, json] of schemas) {
    const codec = jsonCodec(schema)
    it(`decodes as strictly as any other: ${name}`, () => {
      const decode = decoder(codec)
      const strictly = Schema.decodeUnknownResult(codec, strict)
      assert.isTrue(Result.isSuccess(strictly(json)) || name === "a record that becomes another")
      for (const variant of variants(json)) assertSame(decode(variant), strictly(variant), variant)
    })

    it(`encodes as strictly as any other: ${name}`, () => {
      const encode = jsonEncoder(schema, { onExcessProperty: "error" })
      const strictly = Schema.encodeUnknownResult(codec, strict)
      const value = Result.getOrThrow(Schema.decodeUnknownResult(codec)(json))
      for (const variant of [...variants(value), { ...(value as object), [Symbol("excess")]: 1 }]) {
        assertSame(encode(variant), strictly(variant), variant)
      }
    })
  }

  it("is recognised in the records of usual models, so that they are parsed at half the cost", () => {
    const shape = jsonCodec(Schema.Struct({ id: Schema.String, at: Schema.DateTimeUtc, list: Schema.Array(Long) }))
    const hasKnownKeys = knownKeysOf(shape.ast)
    assert.isTrue(hasKnownKeys({ id: "x", at: "2026-01-02T03:04:05Z", list: [{ a: "y" }] }))
    assert.isFalse(hasKnownKeys({ id: "x", at: "2026-01-02T03:04:05Z", list: [{ a: "y", c: 1 }] }))
  })
})

const assertSame = (found: Result.Result<unknown, unknown>, expected: Result.Result<unknown, unknown>, of: unknown) => {
  assert.strictEqual(Result.isSuccess(found), Result.isSuccess(expected), JSON.stringify(of))
  if (Result.isSuccess(found) && Result.isSuccess(expected)) assert.deepStrictEqual(found.success, expected.success)
}

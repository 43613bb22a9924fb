import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema, SchemaGetter, SchemaTransformation } from "effect"
import { decoder } from "../../src/Model/Decoder.ts"
import { jsonCodec } from "../../src/Model/JsonCodec.ts"
import { jsonEncoder } from "../../src/Model/JsonEncoder.ts"
import { plainJson } from "../../src/Model/PlainJson.ts"
import { notParsed, quickParser } from "../../src/Model/QuickParser.ts"

const Short = Schema.Struct({ a: Schema.String })
const Long = Schema.Struct({ a: Schema.String, b: Schema.optionalKey(Schema.Finite) })
class Point extends Schema.Class<Point>("Point")({ x: Schema.Finite }) {}

const Upper = Schema.String.check(Schema.isPattern(/^[a-z]+$/)).pipe(
  Schema.decodeTo(
    Schema.String.check(Schema.isPattern(/^[A-Z]+$/)),
    SchemaTransformation.transform({ decode: (text) => text.toUpperCase(), encode: (text) => text.toLowerCase() })
  )
)
/** Fails, and dies, for some texts. */
const Guarded = Schema.String.pipe(
  Schema.decode({
    decode: SchemaGetter.transformEffect((text: string) =>
      text === "no" ? Effect.die("broken") : Effect.succeed(`${text}!`)
    ),
    encode: SchemaGetter.transform((text: string) => text.slice(0, -1))
  })
)

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
  ["texts in another form", Schema.Struct({ a: Upper, b: Schema.optionalKey(Upper) }), { a: "x", b: "y" }],
  ["a text that may break the codec", Schema.Struct({ a: Guarded }), { a: "x" }],
  ["a default", Schema.Struct({ a: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("z"))) }), {}],
  ["a member that may be undefined", Schema.Struct({ a: Schema.optional(Schema.String) }), { a: "x" }],
  ["a list with a bound", Schema.Struct({ list: Schema.Array(Upper).check(Schema.isMaxLength(1)) }), { list: ["a"] }],
  [
    "one of exactly one",
    Schema.Struct({ a: Schema.Union([Schema.String, Schema.Literal("x")], { mode: "oneOf" }) }),
    { a: "y" }
  ],
  ["no fields", Schema.Struct({}), {}],
  ["a key of objects", Schema.Struct({ constructor: Schema.optionalKey(Schema.String) }), { constructor: "x" }],
  ["a number of any sign", Schema.Struct({ n: Schema.Union([Schema.Literal(0), Schema.Literal(1)]) }), { n: -0 }],
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

describe("a quick parser", () => {
  for (const [name, schema, json] of schemas) {
    const codec = jsonCodec(schema)
    it(`decodes as the schema does, strictly: ${name}`, () => {
      const decode = decoder(codec)
      const strictly = Schema.decodeUnknownResult(codec, strict)
      for (const variant of variants(json))
        assertSame(
          () => decode(variant),
          () => strictly(variant),
          variant,
          false
        )
    })

    it(`encodes as the schema does, strictly or not: ${name}`, () => {
      const value = Result.getOrThrow(Schema.decodeUnknownResult(codec)(json))
      for (const options of [{ onExcessProperty: "error" }, {}] as const) {
        const encode = jsonEncoder(schema, options)
        const slowly = Schema.encodeUnknownResult(codec, { errors: "all", ...options })
        for (const variant of [...variants(value), { ...(value as object), [Symbol("excess")]: 1 }]) {
          assertSame(
            () => encode(variant),
            () => slowly(variant),
            variant,
            true
          )
        }
      }
    })
  }

  it("parses the records of usual models, so that Effect's parser is asked for errors only", () => {
    const shape = jsonCodec(Schema.Struct({ id: Schema.String, at: Schema.DateTimeUtc, list: Schema.Array(Long) }))
    const parse = quickParser(() => shape.ast, { refusesExcess: true })
    const json = { id: "x", at: "2026-01-02T03:04:05Z", list: [{ a: "y" }] }
    assert.deepStrictEqual(parse(json), Result.getOrThrow(Schema.decodeUnknownResult(shape)(json)))
    assert.strictEqual(parse({ ...json, list: [{ a: "y", c: 1 }] }), notParsed)
    assert.notStrictEqual(quickParser(() => Schema.toCodecJson(Point).ast)({ x: 1 }), notParsed)
  })
})

type Parse = () => Result.Result<unknown, unknown>

/** Both succeed with the same JSON, or with the same value if it is none, or fail, or throw. */
const assertSame = (parse: Parse, expected: Parse, of: unknown, isEncoded: boolean): void => {
  const outcomeOf = (run: Parse, finish: (value: unknown) => Result.Result<unknown, unknown>) => {
    const outcome = Result.try({ try: run, catch: () => "thrown" })
    if (Result.isFailure(outcome)) return outcome.failure
    const finished = Result.flatMap(outcome.success, finish)
    return Result.isSuccess(finished) ? { success: finished.success } : "refused"
  }
  // An encoder lets nothing through that is no JSON.
  const wanted = outcomeOf(expected, isEncoded ? plainJson : Result.succeed)
  assert.deepStrictEqual(outcomeOf(parse, Result.succeed), wanted, JSON.stringify(of))
}

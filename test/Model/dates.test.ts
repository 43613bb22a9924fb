/** Dates as JSON: RFC 3339 with a zone, real days, the years 0000 to 9999; refused otherwise, read or written. docs/http.md, "Bodies". */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Option, Result, Schema, SchemaTransformation } from "effect"
import { jsonCodec } from "../../src/Model/JsonCodec.ts"
import { jsonEncoder } from "../../src/Model/JsonEncoder.ts"
import { instantMaxMs, instantMinMs, read } from "../../src/Model/Rfc3339.ts"

const normalOf = (schema: Schema.Top, json: unknown): unknown => {
  const codec = jsonCodec(schema) as Schema.Codec<unknown, unknown>
  return Result.getOrUndefined(
    Result.flatMap(Schema.decodeUnknownResult(codec)(json), Schema.encodeUnknownResult(codec))
  )
}

const taken: ReadonlyArray<readonly [string, string]> = [
  ["2026-02-01T10:00:00Z", "2026-02-01T10:00:00.000Z"],
  ["2026-02-01t10:00:00z", "2026-02-01T10:00:00.000Z"],
  ["2026-02-01T10:00:00.5Z", "2026-02-01T10:00:00.500Z"],
  ["2026-02-01T10:00:00.123456789Z", "2026-02-01T10:00:00.123Z"],
  ["2026-02-01T10:00:00+05:30", "2026-02-01T04:30:00.000Z"],
  ["2026-02-01T10:00:00-00:00", "2026-02-01T10:00:00.000Z"],
  ["2024-02-29T23:59:59-23:59", "2024-03-01T23:58:59.000Z"],
  ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
  ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"],
  ["0099-03-01T00:00:00Z", "0099-03-01T00:00:00.000Z"],
  ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"]
]

const refused = [
  ...["", "5", "foo 1", "2026", "2026-2-1", "2026-02-01", "02/01/2026", "1 Feb 2026", "today", "NaN", "Invalid Date"],
  ...["2026-02-01T10:00:00", "2026-02-01 10:00:00Z", "2026-02-01T10:00Z", "2026-02-01T10Z", "20260201T100000Z"],
  ...["2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z"],
  ...["2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z"],
  ...["2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z"],
  ...["2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60"],
  ...["2026-01-01T00:00:00 Z", " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00Z\n"],
  ...["+010000-01-01T00:00:00Z", "-000001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z"],
  // The instant is in another year than the text.
  ...["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-01-01T00:00:00+01:00[Europe/Paris]"],
  "٢٠٢٦-01-01T00:00:00Z"
]

const ofText = {
  Date: Schema.Date,
  DateFromString: Schema.DateFromString,
  DateTimeUtc: Schema.DateTimeUtc,
  DateTimeUtcFromString: Schema.DateTimeUtcFromString,
  DateTimeUtcFromDate: Schema.DateTimeUtcFromDate
}

for (const [name, schema] of Object.entries(ofText)) {
  describe(`Schema.${name} as JSON`, () => {
    it("takes RFC 3339 with a zone, and has one spelling for each instant", () => {
      for (const [text, normal] of taken) assert.strictEqual(normalOf(schema, text), normal, text)
    })

    it("refuses a date without a zone, a day that the calendar lacks, and any other spelling", () => {
      for (const text of refused) assert.isUndefined(normalOf(schema, text), JSON.stringify(text))
      for (const other of [null, 5, true, [], {}]) assert.isUndefined(normalOf(schema, other))
    })
  })
}

describe("a date as JSON", () => {
  it("is held to it at any depth, and where a union or a collection holds it", () => {
    const at = "2026-02-01T10:00:00.000Z"
    const holding: ReadonlyArray<readonly [Schema.Top, (text: string) => unknown]> = [
      [Schema.NullOr(Schema.Date), (text) => text],
      [Schema.Struct({ a: Schema.optionalKey(Schema.Date) }), (text) => ({ a: text })],
      [Schema.Struct({ a: Schema.optional(Schema.DateFromString) }), (text) => ({ a: text })],
      [Schema.Array(Schema.DateTimeUtc), (text) => [text]],
      [Schema.Tuple([Schema.Finite, Schema.Date]), (text) => [1, text]],
      [Schema.Record(Schema.String, Schema.Date), (text) => ({ a: text })],
      [Schema.Option(Schema.DateFromString), (text) => ({ _tag: "Some", value: text })],
      [Schema.OptionFromNullOr(Schema.Date), (text) => text],
      [Schema.ReadonlySet(Schema.Date), (text) => [text]],
      [
        Schema.Struct({ a: Schema.Struct({ b: Schema.Array(Schema.Union([Schema.Date, Schema.Finite])) }) }),
        (text) => ({ a: { b: [text, 1] } })
      ],
      [Schema.Date.pipe(Schema.brand("Birthday")), (text) => text]
    ]
    for (const [schema, hold] of holding) {
      assert.deepStrictEqual(normalOf(schema, hold(at)), hold(at))
      for (const text of ["2026-02-01", "2026-02-30T00:00:00Z", "5"]) assert.isUndefined(normalOf(schema, hold(text)))
    }
  })

  it("with a zone of its own keeps it, by offset or by name (RFC 9557)", () => {
    for (const schema of [Schema.DateTimeZoned, Schema.DateTimeZonedFromString]) {
      const spelled = {
        "2026-06-01T10:00:00Z": "2026-06-01T10:00:00.000+00:00",
        "2026-06-01T10:00:00+05:30": "2026-06-01T10:00:00.000+05:30",
        "2026-06-01T10:00:00Z[Europe/Paris]": "2026-06-01T12:00:00.000+02:00[Europe/Paris]",
        "2026-06-01T10:00:00+07:00[Europe/Paris]": "2026-06-01T05:00:00.000+02:00[Europe/Paris]"
      }
      for (const [text, normal] of Object.entries(spelled)) assert.strictEqual(normalOf(schema, text), normal)
      for (const text of [...refused.filter((it) => !it.endsWith("]")), "2026-06-01T10:00:00Z[Nope/Zone]"]) {
        assert.isUndefined(normalOf(schema, text), text)
      }
    }
  })

  it("as a number of milliseconds is in the same years", () => {
    for (const schema of [Schema.DateFromMillis, Schema.DateTimeUtcFromMillis]) {
      for (const ms of [0, -1, instantMinMs, instantMaxMs]) assert.strictEqual(normalOf(schema, ms), ms)
      for (const ms of [instantMinMs - 1, instantMaxMs + 1, 8.64e15, "5"]) assert.isUndefined(normalOf(schema, ms))
    }
  })

  it("is refused where a program writes one outside of these years", () => {
    const far = new Date(8.64e15)
    const written: ReadonlyArray<readonly [Schema.Codec<unknown, unknown>, unknown]> = [
      [Schema.Date, far],
      [Schema.Date, new Date(instantMinMs - 1)],
      [Schema.Date, new Date(Number.NaN)],
      [Schema.DateFromMillis, far],
      [Schema.DateTimeUtc, DateTime.makeUnsafe(instantMaxMs + 1)],
      [Schema.DateTimeZoned, DateTime.makeZonedUnsafe(instantMaxMs + 1, { timeZone: "UTC" })],
      [Schema.Option(Schema.Date), Option.some(far)]
    ]
    for (const [schema, value] of written) assert.isTrue(Result.isFailure(jsonEncoder(schema)(value)))
    assert.deepStrictEqual(jsonEncoder(Schema.Date)(new Date(0)), Result.succeed("1970-01-01T00:00:00.000Z"))
  })

  it("that a codec of the application's own writes is the application's", () => {
    const Day = Schema.String.pipe(
      Schema.decodeTo(
        Schema.Date,
        SchemaTransformation.transform({
          decode: (day) => new Date(`${day}T00:00:00Z`),
          encode: (date) => date.toISOString().slice(0, 10)
        })
      )
    )
    assert.strictEqual(normalOf(Day, "2026-02-01"), "2026-02-01")
    assert.isDefined(normalOf(Schema.DateTimeUtcFromHttpDate, "Thu, 01 Jan 1970 00:00:00 GMT"))
  })

  it.prop(
    "is read as the runtime reads it, every ms of the calendar",
    [Schema.Int.check(Schema.isBetween({ minimum: instantMinMs, maximum: instantMaxMs }))],
    ([ms]) => {
      assert.strictEqual(read(new Date(ms).toISOString())?.ms, ms)
    }
  )
})

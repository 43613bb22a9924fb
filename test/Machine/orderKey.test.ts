/** What values are compared by: the keys of a field compare as its values do. docs/http.md, "Bodies". */
import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, Order, Result, Schema } from "effect"
import { compareKeys } from "../../src/Machine/Order.ts"
import { keyOf } from "../../src/Machine/OrderKey.ts"
import { type FieldOrder, jsonKindsOf, orderOf } from "../../src/Model/FieldOrder.ts"
import { jsonCodec } from "../../src/Model/JsonCodec.ts"
import { jsonEncoder } from "../../src/Model/JsonEncoder.ts"
import * as Model from "../../src/Model.ts"
import { seeded } from "./Seeded.ts"

const signs = (left: unknown, right: unknown) =>
  JSON.stringify([left, right], (_, it) => (typeof it === "bigint" ? String(it) : it))

/** Values in ascending order, some of them equal: those of one inner list. */
const assertAscending = (schema: Schema.Top, order: FieldOrder, groups: ReadonlyArray<ReadonlyArray<unknown>>) => {
  assert.strictEqual(orderOf(jsonCodec(schema).ast), order)
  const encode = jsonEncoder(schema as Schema.Codec<unknown, unknown>)
  const keys = groups.flatMap((group, rank) =>
    group.map((value) => ({ value, rank, key: keyOf(order, Result.getOrThrow(encode(value))) }))
  )
  for (const left of keys) {
    for (const right of keys) {
      const compared = Math.sign(compareKeys(left.key, right.key))
      assert.strictEqual(compared, Math.sign(left.rank - right.rank), signs(left.value, right.value))
    }
  }
}

const one = <A>(values: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => values.map((value) => [value])

describe("keys compare as the values do", () => {
  it("of large integers, by value", () => {
    const integers = [-(10n ** 40n), -(10n ** 20n) - 1n, -(10n ** 20n), -100n, -99n, -10n, -9n, -1n, 0n]
    const all = [...integers, 1n, 2n, 9n, 10n, 11n, 99n, 100n, 10n ** 20n, 10n ** 20n + 1n, 10n ** 40n]
    for (const schema of [
      Schema.BigInt,
      Schema.BigIntFromString,
      Schema.BigInt.check(Schema.isLessThanBigInt(10n ** 50n))
    ]) {
      assertAscending(schema, "decimal", one(all))
    }
  })

  it("of numbers, as numbers or as texts, the infinities and NaN among them", () => {
    const finite = [-1e300, -2.5, -1, -1e-300, 0, 5e-324, 1e-7, 1.5, 2, 10, 1e20, 1e21, 1e300]
    const all = one([Number.NEGATIVE_INFINITY, ...finite, Number.POSITIVE_INFINITY, Number.NaN])
    assertAscending(Schema.Finite, "plain", one(finite))
    assertAscending(Schema.FiniteFromString, "number", one(finite))
    assertAscending(Schema.Number, "nonfinite", all)
    assertAscending(Schema.NumberFromString, "number", all)
    assertAscending(
      Schema.Union([Schema.Finite, Schema.BigInt]),
      "decimal",
      one([-5n, -1.5, 0, 1e-7, 7, 8n, 1e21, 10n ** 30n])
    )
  })

  it("of decimals, by value to the last digit", () => {
    const texts = [
      "-1e30",
      "-12.5",
      "-12.05",
      "-0.000001",
      "0",
      "1e-20",
      "0.1",
      "0.11",
      "1",
      "1.000000000000000001",
      "9",
      "10",
      "1e50"
    ]
    assertAscending(Schema.BigDecimal, "decimal", one(texts.map(BigDecimal.fromStringUnsafe)))
    const money = Schema.String.pipe(Model.decimal)
    const groups = [["-10.00", "-10"], ["-9.5"], ["0", "-0", "0.00"], ["0.01"], ["9.5", "09.50"], ["10"], [""], ["x"]]
    assertAscending(money, "decimal", groups)
    for (const schema of [Schema.NullOr(money), Schema.optional(money), money.check(Schema.isMaxLength(9))]) {
      assert.strictEqual(orderOf(jsonCodec(schema).ast), "decimal")
    }
  })

  it("of dates, by instant, in whatever zone, from the year 0 to 9999", () => {
    const ms = [-62_167_219_200_000, -1, 0, 1, 1_000_000_000_000, 253_402_300_799_999]
    assertAscending(Schema.Date, "instant", one(ms.map((at) => new Date(at))))
    assertAscending(Schema.DateFromMillis, "plain", one(ms.map((at) => new Date(at))))
    assertAscending(Schema.DateTimeUtc, "instant", one(ms.map((at) => DateTime.makeUnsafe(at))))
    const zoned = [0, 1_000_000_000_000].map((at) =>
      ["UTC", "Asia/Tokyo", "America/New_York", 19_800_000, -3_600_000].map((timeZone) =>
        DateTime.makeZonedUnsafe(at, { timeZone })
      )
    )
    assertAscending(Schema.DateTimeZoned, "instant", zoned)
    // What an older version took and a log may hold.
    const far = [
      "-271821-04-20T00:00:00.000Z",
      "-000001-12-31T23:59:59.999Z",
      "2026-01-01T00:00:00.000Z",
      "+010000-01-01T00:00:00.000Z",
      "+275760-09-13T00:00:00.000Z"
    ]
    for (const text of far) assert.strictEqual(keyOf("instant", text), Date.parse(text), text)
  })

  it("of durations, by length, in whatever unit", () => {
    const groups = [
      [Duration.negativeInfinity],
      [Duration.millis(-1)],
      [Duration.zero, Duration.nanos(0n)],
      [Duration.nanos(1n)],
      [Duration.nanos(999_999n)],
      [Duration.millis(1), Duration.nanos(1_000_000n)],
      [Duration.seconds(2)],
      [Duration.nanos(2_000_000_001n)],
      [Duration.days(400_000)],
      [Duration.infinity]
    ]
    assertAscending(Schema.Duration, "duration", groups)
    assertAscending(
      Schema.DurationFromMillis,
      "nonfinite",
      one([Duration.zero, Duration.seconds(2), Duration.days(10), Duration.infinity])
    )
    assertAscending(
      Schema.DurationFromNanos,
      "decimal",
      one([Duration.nanos(9n), Duration.nanos(10n), Duration.seconds(10)])
    )
  })

  it("of what JSON has itself, and of unions of it: booleans, numbers, texts by UTF-16 code unit", () => {
    assertAscending(Schema.Boolean, "plain", one([false, true]))
    assertAscending(Schema.String, "plain", one(["", "10", "2", "A", "a", "é", "\u{1f600}", "\uffff"]))
    assertAscending(
      Schema.Union([Schema.Boolean, Schema.Finite, Schema.String]),
      "plain",
      one([false, true, -1, 2, 10, "", "10", "2"])
    )
    assertAscending(Schema.Enum({ Low: 1, High: 10, Name: "x" }), "plain", one([1, 10, "x"]))
    assertAscending(Schema.OptionFromNullOr(Schema.Literals(["a", "b"])), "plain", [])
    assertAscending(Schema.String.pipe(Schema.brand("Slug")), "plain", one(["a", "b"]))
    // A text that is one of Number's comes first where Number does.
    assertAscending(
      Schema.Union([Schema.Number, Schema.String]),
      "nonfinite",
      one([1, 1e300, Number.POSITIVE_INFINITY, "1", "A"])
    )
    assertAscending(Schema.Union([Schema.String, Schema.Number]), "plain", one([1, 1e300, "1", "A"]))
  })

  it("where the log holds what no longer fits, behind all that does", () => {
    for (const order of ["number", "decimal", "instant", "duration"] as const) {
      assert.isBelow(
        compareKeys(keyOf(order, order === "instant" ? "2026-01-01T00:00:00.000Z" : "7"), keyOf(order, "x")),
        0
      )
      for (const odd of [{ a: [1] }, [1], "", true, "1e9999999999999999", `${"9".repeat(400)}`]) {
        assert.strictEqual(compareKeys(keyOf(order, odd), keyOf(order, odd)), 0)
      }
    }
  })

  it.prop(
    "of any two values that a schema makes, as Effect compares them",
    [Schema.BigInt, Schema.BigInt, Schema.BigDecimal, Schema.BigDecimal],
    ([a, b, c, d]) => {
      const key = (schema: Schema.Codec<unknown, unknown>, value: unknown) =>
        keyOf("decimal", Result.getOrThrow(jsonEncoder(schema)(value)))
      assert.strictEqual(Math.sign(compareKeys(key(Schema.BigInt, a), key(Schema.BigInt, b))), Order.BigInt(a, b))
      assert.strictEqual(
        Math.sign(compareKeys(key(Schema.BigDecimal, c), key(Schema.BigDecimal, d))),
        BigDecimal.Order(c, d)
      )
    }
  )

  it("of decimals as texts, whatever their spelling", () => {
    const exact = (text: string): bigint | undefined => {
      const [, sign, digits = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
      if (digits === "") return undefined
      const units = BigInt(digits + fraction.padEnd(30, "0"))
      return sign === "-" ? -units : units
    }
    const random = seeded(1)
    const pieces = [
      "",
      "-",
      "0",
      "00",
      "1",
      "9",
      "12",
      "999999999999999999",
      ".",
      ".0",
      ".5",
      ".50",
      ".05",
      "x",
      " "
    ] as const
    const texts = Array.from({ length: 400 }, () =>
      Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join("")
    )
    for (const left of texts) {
      for (const right of texts) {
        const [a, b] = [exact(left), exact(right)]
        const expected =
          a === undefined || b === undefined
            ? a === b
              ? Order.String(left, right)
              : a === undefined
                ? 1
                : -1
            : Order.BigInt(a, b)
        const compared = Math.sign(compareKeys(keyOf("decimal", left), keyOf("decimal", right)))
        if (compared !== expected) assert.fail(`${JSON.stringify([left, right])}: ${compared}`)
      }
    }
  })
})

describe("a field has no order", () => {
  const none: Readonly<Record<string, Schema.Top>> = {
    struct: Schema.Struct({ a: Schema.String }),
    array: Schema.Array(Schema.Finite),
    any: Schema.Any,
    bytes: Schema.Uint8Array,
    url: Schema.URL,
    zone: Schema.TimeZone,
    option: Schema.Option(Schema.Finite),
    "text of HTTP": Schema.DateTimeUtcFromHttpDate,
    "duration as ISO text": Schema.DurationFromIsoString,
    "dates and integers": Schema.Union([Schema.Date, Schema.BigInt]),
    "dates and texts": Schema.Union([Schema.Date, Schema.String]),
    "dates and numbers": Schema.Union([Schema.Date, Schema.Finite])
  }
  for (const [name, schema] of Object.entries(none)) {
    it(`where its schema is ${name}`, () => assert.isUndefined(orderOf(jsonCodec(schema).ast)))
  }

  it("may be compared for equality where JSON has a single value for it", () => {
    assert.deepStrictEqual(
      [
        Schema.Uint8Array,
        Schema.Option(Schema.String),
        Schema.Union([Schema.String, Schema.Finite]),
        Schema.Number
      ].map((schema) => jsonKindsOf(jsonCodec(schema).ast)),
      [
        { hasTexts: true, hasOthers: false, isScalar: true },
        { hasTexts: false, hasOthers: true, isScalar: false },
        { hasTexts: true, hasOthers: true, isScalar: true },
        { hasTexts: true, hasOthers: true, isScalar: true }
      ]
    )
  })
})

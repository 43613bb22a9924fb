import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { splitItems } from "../../src/Http/ListFilter.ts"
import { type ListQuery, makeListParser, nextCursor } from "../../src/Http/ListQuery.ts"

const Money = Schema.String.check(Schema.isPattern(/^\d{1,15}\.\d{2}$/))

const parse = makeListParser({
  name: "products",
  idField: "id",
  fields: {
    id: Schema.String,
    name: Schema.NonEmptyString,
    price: Money,
    stock: Schema.Int,
    weight: Schema.Number,
    sold: Schema.Boolean,
    category: Schema.optionalKey(Schema.NullOr(Schema.String)),
    status: Schema.Literals(["pending", "paid"]),
    limit: Schema.Number,
    tags: Schema.Array(Schema.String),
    at: Schema.DateTimeUtc,
    kind: Schema.Enum({ big: "B", small: "S" } as const),
    meta: Schema.Json,
    sku: Schema.TemplateLiteral(["sku-", Schema.Int]),
    amount: Schema.NumberFromString,
    big: Schema.BigInt,
    worth: Schema.BigDecimal,
    mixed: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])),
    bytes: Schema.Uint8Array,
    took: Schema.Duration
  }
})

const query = (search: string) => parse([...new URLSearchParams(search)])
const ok = (search: string): ListQuery => Result.getOrThrow(query(search))

describe("filters", () => {
  const compare = (field: string, op: string, operand: unknown) => ({ _tag: "Compare", field, op, operand })
  const valid: ReadonlyArray<readonly [string, object]> = [
    ["name=eq.Tea", compare("name", "eq", "Tea")],
    ["name=eq.a.b=c", compare("name", "eq", "a.b=c")],
    ["name=neq.null", compare("name", "neq", "null")],
    ["kind=eq.B", compare("kind", "eq", "B")],
    ["sku=like.sku-*", { _tag: "Like", field: "sku", segments: ["sku-", ""] }],
    ["at=like.2020-*", { _tag: "Like", field: "at", segments: ["2020-", ""] }],
    ["meta=is.null", { _tag: "Is", field: "meta", isNull: true }],
    ["price=gte.10.50", compare("price", "gte", "10.50")],
    ["stock=gt.5", compare("stock", "gt", 5)],
    ["stock=lt.-3", compare("stock", "lt", -3)],
    ["stock=eq.-0", compare("stock", "eq", 0)],
    ["weight=lte.1.5e3", compare("weight", "lte", 1500)],
    ["sold=eq.true", compare("sold", "eq", true)],
    ["status=eq.paid", compare("status", "eq", "paid")],
    ["category=eq.x", compare("category", "eq", "x")],
    ["category=eq.", compare("category", "eq", "")],
    ["at=gt.2026-01-01T00:00:00Z", compare("at", "gt", "2026-01-01T00:00:00.000Z")],
    ["field.limit=eq.5", compare("limit", "eq", 5)],
    ["field.name=eq.Tea", compare("name", "eq", "Tea")],
    ["stock=in.1,2", { _tag: "In", field: "stock", operands: [1, 2] }],
    [`name=in.a,"b,c","d\\"\\\\"`, { _tag: "In", field: "name", operands: ["a", "b,c", 'd"\\'] }],
    ["name=like.*te*a", { _tag: "Like", field: "name", segments: ["", "te", "a"] }],
    ["category=like.a", { _tag: "Like", field: "category", segments: ["a"] }],
    ["category=is.null", { _tag: "Is", field: "category", isNull: true }],
    ["tags=is.notnull", { _tag: "Is", field: "tags", isNull: false }],
    ["weight=gt.NaN", compare("weight", "gt", "NaN")],
    ["weight=lt.Infinity", compare("weight", "lt", "Infinity")],
    ["weight=eq.0.1", compare("weight", "eq", 0.1)],
    ["weight=eq.1.0", compare("weight", "eq", 1)],
    ["amount=eq.5", compare("amount", "eq", "5")],
    ["amount=gt.1.50", compare("amount", "gt", "1.5")],
    ["big=lt.-36893488147419103232", compare("big", "lt", "-36893488147419103232")],
    ["worth=gte.1e3", compare("worth", "gte", "1000")],
    ["at=gt.2026-01-01T01:00:00%2B01:00", compare("at", "gt", "2026-01-01T00:00:00.000Z")],
    ["mixed=eq.5", compare("mixed", "eq", 5)],
    ["mixed=eq.true", compare("mixed", "eq", true)],
    ['mixed=eq."5"', compare("mixed", "eq", "5")],
    ['mixed=eq."\\"5\\""', compare("mixed", "eq", '"5"')],
    ["mixed=eq.null", compare("mixed", "eq", "null")],
    ["mixed=gt.x5", compare("mixed", "gt", "x5")],
    ['mixed=in.5,"5",x,"x,y"', { _tag: "In", field: "mixed", operands: [5, "5", "x", "x,y"] }],
    ['name=eq."5"', compare("name", "eq", '"5"')],
    ["bytes=eq.AQI=", compare("bytes", "eq", "AQI=")],
    ['took=lt.{"_tag":"Millis","value":1500}', compare("took", "lt", { _tag: "Millis", value: 1500 })],
    ["name=like.a\\*b*\\\\", { _tag: "Like", field: "name", segments: ["a*b", "\\"] }]
  ]
  for (const [search, filter] of valid) {
    it(`reads ${search}`, () => {
      const { filters } = ok(search)
      assert.strictEqual(filters.length, 1)
      assert.deepStrictEqual({ ...filters[0]! }, filter)
    })
  }

  it("joins a repeated field by AND", () => assert.strictEqual(ok("stock=gt.1&stock=lt.9&name=eq.a").filters.length, 3))

  const invalid: ReadonlyArray<readonly [string, string]> = [
    ["nothing=eq.1", "nothing"],
    ["constructor=eq.1", "constructor"],
    ["__proto__=is.null", "__proto__"],
    ["field.nothing=eq.1", "field.nothing"],
    ["name=Tea", "name"],
    ["name=", "name"],
    ["name=eq", "name"],
    ["name=EQ.Tea", "name"],
    ["name=between.1", "name"],
    ["name=eq.", "name"],
    ["price=gt.5", "price"],
    ["stock=gt.x", "stock"],
    ["stock=gt.", "stock"],
    ["stock=gt.1.5", "stock"],
    ["stock=gt. 1", "stock"],
    ["stock=gt.0x10", "stock"],
    ["stock=gt.1 ", "stock"],
    ["stock=gt.Infinity", "stock"],
    ["stock=gt.1e400", "stock"],
    ["stock=gt.9007199254740993", "stock"],
    ["weight=gt.0.1000000000000000055", "weight"],
    ["weight=gt.heavy", "weight"],
    ["stock=eq.null", "stock"],
    ["stock=in.1,null", "stock"],
    ["sold=eq.True", "sold"],
    ["name=like.a\\\\b\\", "name"],
    ["name=like.C:\\dir*", "name"],
    ["big=gt.1.5", "big"],
    ["worth=gt.x", "worth"],
    ["at=gt.2026-01-01", "at"],
    ["at=gt.2026-02-30T00:00:00Z", "at"],
    ["mixed=eq.9007199254740993", "mixed"],
    ['mixed=eq."a', "mixed"],
    ['mixed=eq."a"b', "mixed"],
    ["mixed=like.a*", "mixed"],
    ["bytes=gt.AQI=", "bytes"],
    ["order=bytes", "order"],
    ["took=eq.1500", "took"],
    ["stock=in.1,x", "stock"],
    ["stock=in.", "stock"],
    ["sold=eq.yes", "sold"],
    ["status=eq.lost", "status"],
    ["at=gt.yesterday", "at"],
    ["stock=like.1*", "stock"],
    ["category=is.nil", "category"],
    ["tags=eq.a", "tags"],
    ["tags=in.a", "tags"],
    ["meta=eq.1", "meta"],
    ["order=meta", "order"],
    ["kind=eq.M", "kind"],
    [`name=in."a`, "name"]
  ]
  for (const [search, path] of invalid) {
    it(`refuses ${search} and names ${path}`, () => {
      const result = query(search)
      assert.isTrue(Result.isFailure(result))
      if (!Result.isFailure(result)) return
      assert.strictEqual(result.failure.kind, "invalid-request")
      const errors = result.failure.members.errors as ReadonlyArray<{ readonly path: string }>
      assert.deepStrictEqual(
        errors.map((it) => it.path),
        [path]
      )
      assert.include(result.failure.detail, path)
    })
  }

  const items: ReadonlyArray<readonly [string, ReadonlyArray<string> | undefined]> = [
    ["", [""]],
    ["a", ["a"]],
    ["a,", ["a", ""]],
    [",", ["", ""]],
    [`""`, [""]],
    [`"a,b",c`, ["a,b", "c"]],
    [`a"b`, ['a"b']],
    [`"a`, undefined],
    [`"a"b`, undefined],
    [`"a\\n"`, undefined],
    [`"a\\`, undefined]
  ]
  for (const [text, expected] of items) {
    it(`splits the items ${JSON.stringify(text)}`, () => {
      const result = splitItems(text)
      const texts = Result.isSuccess(result) ? result.success.map((item) => item.text) : undefined
      assert.deepStrictEqual(texts, expected)
    })
  }
})

describe("pages", () => {
  it("lists 50 by id when nothing is asked", () => {
    const { fingerprint, ...rest } = ok("")
    assert.match(fingerprint, /^[0-9a-f]{16}$/)
    assert.deepStrictEqual(rest, {
      filters: [],
      orderBy: [{ field: "id", direction: "asc" }],
      limit: 50,
      after: undefined,
      select: undefined,
      showsVersions: false,
      countsTotal: false
    })
  })

  const limits: ReadonlyArray<readonly [string, number | undefined]> = [
    ["1", 1],
    ["1000", 1000],
    ["0", undefined],
    ["1001", undefined],
    ["-1", undefined],
    ["1.0", undefined],
    ["1e2", undefined],
    [" 5", undefined],
    ["", undefined],
    ["99999999999999999999", undefined]
  ]
  for (const [text, expected] of limits) {
    it(`${expected === undefined ? "refuses" : "takes"} a limit of ${JSON.stringify(text)}`, () => {
      const result = parse([["limit", text]])
      assert.strictEqual(Result.isSuccess(result) ? result.success.limit : undefined, expected)
    })
  }

  const orders: ReadonlyArray<readonly [string, ReadonlyArray<string> | undefined]> = [
    ["name", ["name.asc", "id.asc"]],
    ["name.desc,price", ["name.desc", "price.asc", "id.asc"]],
    ["id.desc", ["id.desc"]],
    ["name,id.desc,price", ["name.asc", "id.desc"]],
    ["", undefined],
    ["name,", undefined],
    ["nothing", undefined],
    ["name.up", undefined],
    ["name,name.desc", undefined],
    ["tags", undefined],
    ["constructor", undefined]
  ]
  for (const [text, expected] of orders) {
    it(`${expected === undefined ? "refuses" : "takes"} the order ${JSON.stringify(text)}; ties break by id`, () => {
      const result = parse([["order", text]])
      const steps = Result.isSuccess(result)
        ? result.success.orderBy.map((it) => `${it.field}.${it.direction}`)
        : undefined
      assert.deepStrictEqual(steps, expected)
    })
  }

  it("selects fields and counts", () => {
    const { countsTotal, select } = ok("select=name,price,name&count=exact")
    assert.deepStrictEqual(select, ["name", "price"])
    assert.isTrue(countsTotal)
  })

  it("lets the parameters of reads pass", () => assert.deepStrictEqual(ok("consistency=local&max-stale=5").filters, []))

  for (const search of [
    "select=",
    "select=nothing",
    "count=all",
    "versions=",
    "versions=all",
    "limit=1&limit=2",
    "order=name&order=price"
  ]) {
    it(`refuses ${search}`, () => assert.isTrue(Result.isFailure(query(search))))
  }
})

describe("cursors of lists", () => {
  const list = "order=price.desc,name&stock=gt.1&sold=eq.true"
  const cursor = Result.getOrThrow(nextCursor(ok(list), ["10.00", "Tea", "id-9"]))

  it("resumes the same list, its filters in any order and its page of any size", () => {
    for (const same of [
      list,
      `${list}&limit=7&select=name&count=exact`,
      "sold=eq.true&stock=gt.1&order=price.desc,name"
    ]) {
      assert.deepStrictEqual(ok(`${same}&cursor=${cursor}`).after, ["10.00", "Tea", "id-9"])
    }
  })

  for (const other of [
    "",
    "order=price,name&stock=gt.1&sold=eq.true",
    "order=price.desc,name&stock=gt.2&sold=eq.true"
  ]) {
    it(`refuses a cursor of another list: ${JSON.stringify(other)}`, () => {
      assert.isTrue(Result.isFailure(query(`${other}&cursor=${cursor}`)))
    })
  }

  it("refuses a forged key that the fields cannot hold, and takes null for an absent field", () => {
    const forged = (key: ReadonlyArray<string | number | null>) =>
      query(`order=price&cursor=${Result.getOrThrow(nextCursor(ok("order=price"), key))}`)
    assert.isTrue(Result.isFailure(forged([5, "id"])))
    assert.isTrue(Result.isFailure(forged(["5.00", null])))
    assert.isTrue(Result.isSuccess(forged([null, "id"])))
  })
})

/**
 * One rule for values, whichever way they come: a node's own code, the typed client, HTTP, a command. Each case runs each
 * way on one cluster in memory. docs/http.md, "Bodies", "Lists".
 */
import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, Effect, Layer, Option, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Client from "../../src/Client.ts"
import * as Command from "../../src/Command.ts"
import { codecsOf } from "../../src/Model/RowCodecs.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const fields = {
  id: Model.id(Schema.String.check(Schema.isUUID())),
  big: Schema.BigInt,
  worth: Schema.BigDecimal,
  money: Schema.NullOr(Schema.String.check(Schema.isPattern(/^-?\d+\.\d\d$/u)).pipe(Model.decimal)),
  at: Schema.Date,
  zoned: Schema.DateTimeZoned,
  took: Schema.Duration,
  weight: Schema.Number,
  count: Schema.FiniteFromString,
  mixed: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite])),
  flag: Schema.Boolean,
  name: Schema.String,
  note: Schema.optionalKey(Schema.String),
  tags: Schema.Record(Schema.String, Schema.NullOr(Schema.Int)),
  place: Schema.Struct({ city: Schema.NullOr(Schema.String), zip: Schema.optionalKey(Schema.String) })
}

const listed = ["big", "worth", "money", "at", "zoned", "took", "weight", "count", "mixed", "flag", "name"] as const

/** The same twice: with an index of every field that has an order, and with none. */
class Plain extends Model.Class<Plain>("Plain")(fields, { mode: "replicate" }) {}
class Indexed extends Model.Class<Indexed>("Indexed")(fields, { mode: "replicate", indexes: [...listed] }) {}
type Row = typeof Plain | typeof Indexed

const patchPlain = Command.make("patch-plain", {
  payload: Schema.Struct({ id: Schema.String, patch: Plain.patch }),
  success: Plain
})
const patchLayer = Command.layer(
  patchPlain,
  Effect.fnUntraced(function* ({ id, patch }) {
    const transaction = yield* Command.Transaction
    return yield* transaction.patch(Plain, id, patch)
  })
)
/** The names of those whose field has this value, as a command finds them. */
const findIndexed = Command.make("find-indexed", {
  payload: Schema.Struct({ where: Schema.Record(Schema.String, Schema.Unknown) }),
  success: Schema.Array(Schema.String)
})
const findLayer = Command.layer(
  findIndexed,
  Effect.fnUntraced(function* ({ where }) {
    const [[field, json] = ["", null]] = Object.entries(where)
    const decode = Schema.decodeUnknownSync(Schema.toCodecJson(Indexed.fields[field as keyof typeof Indexed.fields]))
    const transaction = yield* Command.Transaction
    const rows = yield* transaction.list(Indexed, { where: { [field]: decode(json) }, limit: 100 })
    return rows.map(({ name }) => name)
  })
)

const cluster = TestCluster.layer({ models: [Plain, Indexed], commands: [patchPlain, findIndexed], size: 1 }).pipe(
  Layer.provide([patchLayer, findLayer])
)
const onNode = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TestCluster, ({ on }) => on("n1", program)).pipe(Effect.provide(cluster))

const clientOf = Client.make({ nodes: [""] })

const zone = (at: string, timeZone: string) => DateTime.makeZonedUnsafe(Date.parse(at), { timeZone })
/** In ascending order by every field at once; each differs in text from what it is in value. */
const samples = [
  {
    big: -10n,
    worth: "-10",
    money: "-10.00",
    at: "0000-01-01T00:00:00Z",
    zoned: zone("2026-01-01T00:00:00Z", "Asia/Tokyo"),
    took: Duration.nanos(5n),
    weight: Number.NEGATIVE_INFINITY,
    count: -10,
    mixed: -10,
    flag: false
  },
  {
    big: -9n,
    worth: "-9.5",
    money: "-9.50",
    at: "1969-12-31T23:59:59Z",
    zoned: zone("2026-01-01T01:00:00Z", "America/New_York"),
    took: Duration.millis(9),
    weight: -2,
    count: -9,
    mixed: 9,
    flag: false
  },
  {
    big: 9n,
    worth: "9",
    money: "9.00",
    at: "2026-01-01T00:00:00Z",
    zoned: zone("2026-01-01T01:30:00Z", "UTC"),
    took: Duration.nanos(10_000_000n),
    weight: 9,
    count: 9,
    mixed: 10,
    flag: false
  },
  {
    big: 10n,
    worth: "1e1",
    money: "10.00",
    at: "2026-01-01T00:00:00.001Z",
    zoned: zone("2026-01-01T02:00:00Z", "Asia/Tokyo"),
    took: Duration.seconds(2),
    weight: 10,
    count: 10,
    mixed: "10",
    flag: true
  },
  {
    big: 10n ** 20n,
    worth: "1e20",
    money: "100.00",
    at: "9999-12-31T23:59:59.999Z",
    zoned: zone("2026-06-01T00:00:00Z", "Asia/Tokyo"),
    took: Duration.seconds(10),
    weight: Number.POSITIVE_INFINITY,
    count: 1e21,
    mixed: "9",
    flag: true
  },
  {
    big: 10n ** 21n,
    worth: "1.1e20",
    money: null,
    at: "9999-12-31T23:59:59.999Z",
    zoned: zone("2026-06-01T00:00:00Z", "UTC"),
    took: Duration.infinity,
    weight: Number.NaN,
    count: 2e21,
    mixed: null,
    flag: true
  }
]
const rows = samples.map(({ at, worth, ...sample }, n) => ({
  ...sample,
  name: `n${n}`,
  at: new Date(at),
  worth: BigDecimal.fromStringUnsafe(worth),
  tags: {},
  place: { city: null }
}))

type Where = Repository.Where<Plain>
type Order = readonly [field: keyof Plain & string, direction: "asc" | "desc"]

interface Asked {
  readonly where?: ReadonlyArray<Where>
  readonly orderBy?: ReadonlyArray<Order>
}

/** The names that a list has, page by page, each way; or that it is refused. */
const ways = (model: Row) => {
  const refusal = () => Effect.succeed("refused" as const)
  const namesOf = Effect.fnUntraced(function* ({ records }: Repository.Repository["Service"], asked: Asked) {
    const names: Array<string> = []
    let cursor: string | undefined
    do {
      const page = yield* records(model as typeof Plain).list({
        ...asked,
        limit: 2,
        ...(cursor === undefined ? {} : { cursor })
      })
      names.push(...page.items.map(({ row }) => row.name))
      cursor = page.next
    } while (cursor !== undefined)
    return names
  })
  return (asked: Asked) =>
    Effect.gen(function* () {
      const near = yield* Repository.Repository
      const far = yield* clientOf
      return yield* Effect.forEach([near, far], (repository) =>
        namesOf(repository, asked).pipe(Effect.catchTag("Problem", refusal))
      )
    })
}

const createAll = Effect.gen(function* () {
  const client = yield* clientOf
  const codecs = codecsOf(Plain)
  for (const row of rows) {
    yield* Effect.flatMap(Repository.make(Plain), (records) => records.create(row))
    yield* client.records(Indexed).create(row)
    assert.isTrue(Result.isSuccess(codecs.encodeNew(row)))
  }
})

/** By field, a value of the third row and the names of those that are less; all fields have one order. */
const third: Partial<Record<string, unknown>> = { ...rows[2] }

describe("values by code, client and HTTP alike", () => {
  it.effect("are ordered and filtered by value, with an index and without", () =>
    Effect.gen(function* () {
      yield* createAll
      for (const model of [Plain, Indexed]) {
        const list = ways(model)
        for (const field of listed) {
          const said = `${model === Plain ? "Plain" : "Indexed"}.${field}`
          const both = (names: Array<string>) => [names, names]
          const isTie = field === "flag" || field === "at" || field === "zoned"
          for (const direction of ["asc", "desc"] as const) {
            const second: Order = ["name", direction]
            const orderBy: ReadonlyArray<Order> = isTie ? [[field, direction], second] : [[field, direction]]
            const ordered = yield* list({ orderBy })
            const ascending = ["n0", "n1", "n2", "n3", "n4", "n5"]
            assert.deepStrictEqual(
              ordered,
              both(direction === "asc" ? ascending : ascending.toReversed()),
              `${said} ${direction}`
            )
          }
          if (field === "flag") continue
          const value = third[field]
          const cases = {
            eq: ["n2"],
            neq: ["n0", "n1", "n3", "n4", "n5"],
            lt: ["n0", "n1"],
            lte: ["n0", "n1", "n2"],
            // Numbers are more than numbers alone; null is neither more nor less.
            gt: field === "mixed" ? [] : field === "money" ? ["n3", "n4"] : ["n3", "n4", "n5"],
            gte: field === "mixed" ? ["n2"] : field === "money" ? ["n2", "n3", "n4"] : ["n2", "n3", "n4", "n5"]
          }
          for (const [op, names] of Object.entries(cases)) {
            // NaN comes behind all numbers, and is none that is more than one.
            const expected = field === "weight" ? names.filter((name) => name !== "n5" || op === "neq") : names
            const where = [[field, op, value]] as unknown as ReadonlyArray<Where>
            const found = yield* list({ where, orderBy: [["name", "asc"]] })
            assert.deepStrictEqual<ReadonlyArray<unknown>>(found, both(expected), `${said} ${op}`)
          }
          const where = [[field, "in", [value, rows[0]?.[field]]]] as unknown as ReadonlyArray<Where>
          assert.deepStrictEqual<ReadonlyArray<unknown>>(
            yield* list({ where, orderBy: [["name", "asc"]] }),
            both(["n0", "n2"]),
            `${said} in`
          )
        }
      }
    }).pipe(onNode)
  )

  it.effect("can be named whatever they look like, and null by eq as by is", () =>
    Effect.gen(function* () {
      yield* createAll
      const cases: ReadonlyArray<readonly [Where, ReadonlyArray<string>]> = [
        [["mixed", "eq", 10], ["n2"]],
        [["mixed", "eq", "10"], ["n3"]],
        [
          ["mixed", "in", [-10, "9"]],
          ["n0", "n4"]
        ],
        [["mixed", "gt", "10"], ["n4"]],
        [["mixed", "eq", null], ["n5"]],
        [
          ["mixed", "neq", null],
          ["n0", "n1", "n2", "n3", "n4"]
        ],
        [["money", "eq", null], ["n5"]],
        [["mixed", "is", "null"], ["n5"]],
        [
          ["note", "is", "null"],
          ["n0", "n1", "n2", "n3", "n4", "n5"]
        ],
        [
          ["note", "eq", null],
          ["n0", "n1", "n2", "n3", "n4", "n5"]
        ],
        [["note", "neq", null], []],
        [["weight", "eq", Number.NaN], ["n5"]],
        [["weight", "eq", Number.POSITIVE_INFINITY], ["n4"]],
        [["weight", "gt", 10], ["n4"]],
        [["took", "eq", Duration.nanos(9_000_000n)], ["n1"]],
        [["zoned", "eq", zone("2026-01-01T01:30:00Z", "Europe/Paris")], ["n2"]],
        [
          ["tags", "is", "notnull"],
          ["n0", "n1", "n2", "n3", "n4", "n5"]
        ],
        [
          ["name", "like", "n*"],
          ["n0", "n1", "n2", "n3", "n4", "n5"]
        ],
        [["name", "like", "n\\*"], []],
        [["name", "in", ['a,"b\\', "n1"]], ["n1"]]
      ]
      for (const model of [Plain, Indexed]) {
        for (const [where, names] of cases) {
          const found = yield* ways(model)({ where: [where], orderBy: [["name", "asc"]] })
          assert.deepStrictEqual<ReadonlyArray<unknown>>(found, [names, names], JSON.stringify(where[0]) + where[1])
        }
      }
      const client = yield* clientOf
      for (const [field, json, names] of [
        ["big", "9", ["n2"]],
        ["money", "9.00", ["n2"]],
        ["money", null, ["n5"]],
        ["mixed", 10, ["n2"]],
        ["mixed", "10", ["n3"]],
        ["zoned", "2026-01-01T02:30:00+01:00", ["n2"]],
        ["took", { _tag: "Nanos", value: "9000000" }, ["n1"]],
        ["weight", "NaN", ["n5"]]
      ] as const) {
        assert.deepStrictEqual(yield* client.run(findIndexed, { where: { [field]: json } }), names, field)
      }
    }).pipe(onNode)
  )

  it.effect("are refused in a list where they make no sense there", () =>
    Effect.gen(function* () {
      const refused: ReadonlyArray<unknown> = [
        { orderBy: [["nothing", "asc"]] },
        { orderBy: [["constructor", "asc"]] },
        { orderBy: [["tags", "asc"]] },
        { orderBy: [["place", "desc"]] },
        {
          orderBy: [
            ["name", "asc"],
            ["name", "desc"]
          ]
        },
        { where: [["nothing", "is", "null"]] },
        { where: [["__proto__", "is", "null"]] },
        { where: [["name", "is", "nil"]] },
        { where: [["tags", "eq", {}]] },
        { where: [["mixed", "gt", null]] },
        { where: [["mixed", "in", [null]]] },
        { where: [["mixed", "in", []]] },
        { where: [["count", "like", "1*"]], orderBy: [["tags", "asc"]] },
        { where: [["weight", "like", "1*"]] },
        { where: [["name", "like", "a\\b"]] },
        { where: [["name", "eq", 5]] },
        { where: [["name", "between", "a"]] },
        { where: [["at", "gt", new Date(8.64e15)]] }
      ]
      for (const asked of refused) {
        assert.deepStrictEqual(yield* ways(Plain)(asked as Asked), ["refused", "refused"], JSON.stringify(asked))
      }
      const http = yield* HttpClient.HttpClient
      const queries = [
        "order=tags",
        "order=nothing",
        "nothing=is.null",
        "tags=eq.x",
        "name=like.%5C",
        "weight=gt.1e400"
      ]
      for (const query of queries) {
        assert.strictEqual((yield* http.get(`/api/plains?${query}`)).status, 400, query)
      }
    }).pipe(onNode)
  )
})

describe("patches by code, client, HTTP and command alike", () => {
  it.effect("are merged (RFC 7396), and set to null what must be there and admits null", () =>
    Effect.gen(function* () {
      const http = yield* HttpClient.HttpClient
      const client = yield* clientOf
      const records = yield* Repository.make(Plain)
      const before = { ...rows[0]!, note: "x", tags: { a: 1, b: null }, place: { city: "Ur", zip: "1" } }
      const patch = { money: null, mixed: null, note: null, tags: { a: null, c: 3 }, place: { city: null } }
      const after = { money: null, mixed: null, tags: { b: null, c: 3 }, place: { city: null, zip: "1" } }
      const wayOf: Record<string, (id: string) => Effect.Effect<unknown, unknown, HttpClient.HttpClient>> = {
        repository: (id) => records.patch(id, patch),
        client: (id) => client.records(Plain).patch(id, patch),
        transaction: (id) => client.transact([Repository.patch(Plain, id, patch)]),
        command: (id) => client.run(patchPlain, { id, patch }),
        http: (id) =>
          http.execute(HttpClientRequest.patch(`/api/plains/${id}`).pipe(HttpClientRequest.bodyJsonUnsafe(patch)))
      }
      for (const [way, send] of Object.entries(wayOf)) {
        const { row } = yield* records.create(before)
        yield* send(row.id)
        const { row: found, version } = Option.getOrThrow(yield* records.get(row.id))
        const { money, mixed, note, place, tags } = found
        assert.deepStrictEqual({ money, mixed, tags, place }, after, way)
        assert.deepStrictEqual([note, version], [undefined, 2], way)
      }
    }).pipe(onNode)
  )
})

describe("dates by code, client, HTTP and command alike", () => {
  it.effect("are refused where they have no zone, are no day, or lie outside of the years 0 to 9999", () =>
    Effect.gen(function* () {
      const http = yield* HttpClient.HttpClient
      const records = yield* Repository.make(Plain)
      const { row } = yield* records.create(rows[0]!)
      const json = Result.getOrThrow(codecsOf(Plain).encodeNew(rows[0]!))
      const post = (path: string, body: unknown) =>
        Effect.map(
          http.execute(HttpClientRequest.post(path).pipe(HttpClientRequest.bodyJsonUnsafe(body))),
          ({ status }) => status
        )
      for (const at of [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-2-1",
        "5",
        "foo 1",
        "2026-02-30T00:00:00Z",
        "+010000-01-01T00:00:00Z"
      ]) {
        assert.strictEqual(yield* post("/api/plains", { ...json, at }), 400, at)
        assert.strictEqual(yield* post("/api/plains/_bulk", [{ ...json, at }]), 400, at)
        const ops = [{ op: "patch", model: "Plain", id: row.id, data: { at } }]
        assert.strictEqual(yield* post("/api/_tx", { ops }), 400, at)
        assert.strictEqual(yield* post("/api/_commands/patch-plain", { id: row.id, patch: { at } }), 400, at)
        assert.strictEqual((yield* http.get(`/api/plains?at=gt.${encodeURIComponent(at)}`)).status, 400, at)
      }
      const client = yield* clientOf
      const far = new Date(8.64e15)
      const refusals: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        records.create({ ...rows[0]!, at: far }),
        records.patch(row.id, { at: far }),
        client.records(Plain).create({ ...rows[0]!, at: far }),
        client.records(Plain).patch(row.id, { at: far }),
        client.run(patchPlain, { id: row.id, patch: { at: far } })
      ]
      for (const refused of refusals) assert.include(["Refused", "Problem"], (yield* Effect.flip(refused))._tag)
      assert.strictEqual(Option.getOrThrow(yield* records.get(row.id)).version, 1)
    }).pipe(onNode)
  )
})

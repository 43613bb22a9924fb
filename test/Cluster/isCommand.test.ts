/** The check of forwarded commands, against a schema that says the same. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { isCommand } from "../../src/Cluster/isCommand.ts"
import { seeded } from "../Machine/Seeded.ts"

const text = Schema.String
const Caller = Schema.Union([
  Schema.Struct({ _tag: Schema.Literals(["Anonymous", "System"]) }),
  Schema.Struct({
    _tag: Schema.Literal("Principal"),
    id: text,
    roles: Schema.Array(text),
    claims: Schema.Record(text, Schema.Unknown),
    apiKey: Schema.optionalKey(Schema.Struct({ id: text, version: Schema.Int })),
    expiresMs: Schema.optionalKey(Schema.Int)
  })
])
const origin = {
  caller: Schema.optionalKey(Caller),
  isGuarded: Schema.optionalKey(Schema.Literal(true)),
  principal: Schema.optionalKey(text),
  key: Schema.optionalKey(text),
  fingerprint: Schema.optionalKey(text),
  assignedKey: Schema.optionalKey(text),
  trace: Schema.optionalKey(text.check(Schema.isMinLength(55), Schema.isMaxLength(55)))
}
const condition = { ifMatch: Schema.optionalKey(Schema.Union([Schema.Literal("*"), Schema.Array(Schema.Int)])) }
const data = Schema.Unknown
const model = { model: text, modelVersion: Schema.optionalKey(Schema.Int) }

const operations = [
  { _tag: Schema.Literal("Create"), ...model, id: Schema.optionalKey(text), data },
  {
    _tag: Schema.Literal("Put"),
    ...model,
    id: text,
    data,
    ifNoneMatch: Schema.optionalKey(Schema.Boolean),
    ...condition
  },
  {
    _tag: Schema.Literal("Patch"),
    ...model,
    id: text,
    data,
    isByField: Schema.optionalKey(Schema.Literal(true)),
    ...condition
  },
  { _tag: Schema.Literal("Delete"), ...model, id: text, ...condition }
]
const Command = Schema.Union([
  ...operations.map((fields) => Schema.Struct({ ...fields, ...origin })),
  Schema.Struct({
    _tag: Schema.Literal("Transact"),
    operations: Schema.Array(Schema.Union(operations.map((fields) => Schema.Struct(fields)))),
    name: Schema.optionalKey(Schema.Literal("Bulk")),
    ...origin
  }),
  Schema.Struct({ _tag: Schema.Literal("Call"), name: text, payload: Schema.Unknown, ...origin }),
  Schema.Struct({ _tag: Schema.Literal("Close"), ...origin })
])
const decode = Schema.decodeUnknownResult(Command, { onExcessProperty: "error" })
/** The principal that owns a key is the caller, and no other. */
const isOwnKey = ({ caller, principal }: (typeof Command)["Type"]) =>
  caller?._tag === "System" && principal !== undefined
    ? principal === "lithair:system"
    : principal === (caller?._tag === "Principal" ? caller.id : undefined)

const caller = { _tag: "Principal", id: "p", roles: ["r"], claims: {}, apiKey: { id: "k", version: 1 } }
const keyed = { caller, principal: "p", key: "k", fingerprint: "f", assignedKey: "a", trace: "0".repeat(55) }
const on = { model: "User", modelVersion: 2, id: "u" }
const samples: ReadonlyArray<unknown> = [
  { _tag: "Create", ...on, data: { id: null }, ...keyed },
  { _tag: "Put", ...on, data: {}, ifNoneMatch: true, ifMatch: "*" },
  { _tag: "Patch", ...on, data: [], isByField: true, ifMatch: [1, 2], ...keyed },
  { _tag: "Delete", ...on, ifMatch: [] },
  {
    _tag: "Transact",
    operations: [
      { _tag: "Create", ...on, data: 1 },
      { _tag: "Delete", ...on, ifMatch: [3] }
    ],
    name: "Bulk",
    ...keyed
  },
  { _tag: "Call", name: "transfer", payload: { amount: "1.00" }, ...keyed },
  { _tag: "Close", ...keyed },
  { _tag: "Close", key: "k", caller: { _tag: "System" } },
  { _tag: "Close", key: "k", caller: { _tag: "System" }, principal: "lithair:system", isGuarded: true }
]
const values: ReadonlyArray<unknown> = [
  null,
  true,
  false,
  0,
  1.5,
  -3,
  "",
  "*",
  "Bulk",
  "Create",
  "Delete",
  "Transact",
  "Activate",
  [],
  [1],
  [1.5],
  ["1"],
  [null],
  {},
  { _tag: "Put" }
]
const names = [
  "_tag",
  "model",
  "id",
  "data",
  "ifMatch",
  "operations",
  "name",
  "payload",
  "key",
  "trace",
  "more",
  "__proto__"
]

describe("the check of forwarded commands", () => {
  it("takes what a schema takes, and refuses what a schema refuses, whatever a peer changes", () => {
    const { below } = seeded(7)
    const random = () => below(1_000_000) / 1_000_000
    const one = <A>(from: ReadonlyArray<A>): A => from[below(from.length)]!
    /** Changes one place of a JSON text: a value, a field that is lost, or one that is new. */
    const changed = (json: unknown): unknown => {
      if (typeof json !== "object" || json === null || random() < 0.2) return one(values)
      if (Array.isArray(json)) {
        return json.length === 0 || random() < 0.3 ? [...json, one(values)] : json.map((each) => changed(each))
      }
      const fields = Object.entries(json)
      const at = below(fields.length + 1)
      const field = fields[at]
      if (field === undefined) fields.push([one(names), one(values)])
      else if (random() < 0.3) fields.splice(at, 1)
      else fields[at] = [field[0], changed(field[1])]
      const members = fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      return JSON.parse(`{${members.join(",")}}`) as unknown
    }
    const counts = { taken: 0, refused: 0 }
    for (const sample of samples) {
      assert.isTrue(isCommand(sample), JSON.stringify(sample))
      for (let round = 0; round < 2000; round++) {
        const json = random() < 0.3 ? changed(changed(sample)) : changed(sample)
        const decoded = decode(json)
        const isTaken = Result.isSuccess(decoded) && isOwnKey(decoded.success)
        assert.strictEqual(isCommand(json), isTaken, JSON.stringify(json))
        counts[isTaken ? "taken" : "refused"] += 1
      }
    }
    assert.isAbove(counts.taken, 500)
    assert.isAbove(counts.refused, 500)
  })
})

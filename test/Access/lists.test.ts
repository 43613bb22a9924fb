/** A list under a rule is the list of all records, filtered by that rule: orders, pages and counts, and as fast. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { Principal } from "../../src/Access/Caller.ts"
import { fold } from "../../src/Access/fold.ts"
import * as Access from "../../src/Access.ts"
import { isWithin } from "../../src/Machine/Guard.ts"
import type { ListRequest, ListSource } from "../../src/Machine/List.ts"
import * as List from "../../src/Machine/List.ts"
import type { OrderBy } from "../../src/Machine/Order.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, counting, idsOf, list, walk } from "../Machine/Listing.ts"
import { seeded } from "../Machine/Seeded.ts"
import { leader } from "../Machine/Store.ts"

class Note extends Model.Class<Note>("Note")(
  {
    id: Model.id(Schema.String),
    owner: Model.replicate(Schema.NullOr(Schema.String)),
    team: Schema.NullOr(Schema.String),
    rank: Schema.Int
  },
  { indexes: ["owner", "team", "rank"] }
) {}
const descriptor = Model.describe(Note)

const caller: Principal = {
  _tag: "Principal",
  id: "u1",
  roles: ["staff"],
  claims: { team: "t2", teams: ["t1", "t2", null], none: null }
}
const { row, who } = { row: scopeOf().row, who: scopeOf().who }
function scopeOf() {
  let scope: Access.Scope<"id" | "owner" | "team" | "rank"> | undefined
  Access.rules<"id" | "owner" | "team" | "rank">((given) => {
    scope = given
    return { read: Access.anyone, create: Access.anyone, update: Access.anyone, delete: Access.anyone }
  })
  return scope!
}

const reachOf = (rule: Access.Rule, of: Access.Caller = caller) =>
  Result.getOrThrow(fold(rule, of, (name) => Result.succeed(name === "teams" ? ["t0", "t3"] : [])))

const rules: ReadonlyArray<readonly [string, Access.Rule]> = [
  ["nobody", Access.nobody],
  ["the owner", row.owner.eq(who.id)],
  ["a claim", row.team.eq(who.claim("team"))],
  ["an absent claim", row.team.eq(who.claim("nothing"))],
  ["a claim that is null", row.owner.eq(who.claim("none"))],
  ["a claim that is a list", row.team.in(who.claims("teams"))],
  ["a set", row.team.in(who.set("teams"))],
  ["the owner, or a team", Access.any(row.owner.eq(who.id), row.team.in(who.set("teams")))],
  ["the owner within a team", Access.all(row.owner.eq(who.id), row.team.in(["t1", "t2"]))],
  ["a role within a team", Access.all(who.is("staff"), row.team.eq("t1"))],
  ["another role, or the owner", Access.any(who.is("boss"), row.owner.eq(who.id))],
  ["one record, or a rank", Access.any(row.id.eq("n7"), row.rank.in([1, 2]))],
  ["three branches", Access.any(row.owner.eq("u0"), row.team.eq("t1"), Access.all(row.rank.eq(3), row.owner.eq("u2")))]
]

/** Records whose owners and teams are null now and then. */
const notes = (seed: number, count: number) => {
  const { below } = seeded(seed)
  const { machine, submit } = leader(undefined, [descriptor])
  for (let at = 0; at < count; at++) {
    const owner = below(5) === 0 ? null : `u${below(4)}`
    const team = below(5) === 0 ? null : `t${below(5)}`
    submit({ _tag: "Create", model: "Note", data: { id: `n${below(10_000)}`, owner, team, rank: below(6) } })
  }
  const table = machine.applied.byModel.get("Note")!
  return { table, source: { table, idField: "id" } satisfies ListSource }
}

const orders: ReadonlyArray<readonly [OrderBy, ...ReadonlyArray<OrderBy>]> = [
  [byId],
  [{ field: "id", direction: "desc" }],
  [{ field: "rank", direction: "asc" }, byId],
  [
    { field: "rank", direction: "desc" },
    { field: "id", direction: "desc" }
  ],
  [{ field: "team", direction: "asc" }, { field: "rank", direction: "desc" }, byId]
]
const filters: ReadonlyArray<ListRequest["filters"]> = [
  [],
  [{ _tag: "Compare", field: "rank", op: "gte", operand: 2 }],
  [{ _tag: "Compare", field: "owner", op: "eq", operand: "u1" }],
  [{ _tag: "Is", field: "team", isNull: true }],
  [{ _tag: "In", field: "id", operands: ["n1", "n7", "n400"] }]
]

describe("a list under a rule", () => {
  for (const [name, rule] of rules) {
    it(`that names ${name} is the whole list filtered by it`, () => {
      for (let seed = 1; seed <= 4; seed++) {
        const { source, table } = notes(seed, 120)
        const reach = reachOf(rule)
        const isReadable = (id: string): boolean => {
          const row = table.rows.get(id)!
          return isWithin(reach, table, "id", { id, record: row.data })
        }
        for (const orderBy of orders) {
          for (const asked of filters) {
            const request = { filters: asked, orderBy: orderBy as ListRequest["orderBy"], limit: 7 }
            const expected = walk(source, request).filter(isReadable)
            const restricted = { ...source, reach }
            assert.deepStrictEqual(walk(restricted, request), expected, `seed ${seed} ${JSON.stringify(request)}`)
            const { total } = list(restricted, ask({ ...request, countsTotal: true }))
            assert.strictEqual(total, expected.length, `seed ${seed} ${JSON.stringify(request)}`)
          }
        }
      }
    })
  }

  it("looks at no more rows than the same list with its filters written out", () => {
    const { table } = notes(9, 2_000)
    for (const [orderBy, limit] of [
      [orders[0]!, 20],
      [orders[2]!, 20]
    ] as const) {
      const request = { orderBy: orderBy as ListRequest["orderBy"], limit }
      const written = counting(table)
      idsOf(written.source, { ...request, filters: [{ _tag: "In", field: "owner", operands: ["u1"] }] })
      const ruled = counting(table)
      idsOf({ ...ruled.source, reach: reachOf(row.owner.eq(who.id)) } as ListSource, request)
      assert.isAbove(written.looks(), 0)
      assert.strictEqual(ruled.looks(), written.looks())
    }
  })

  it("leaves out a record that this release cannot read, and counts it not: no rule can be asked about it", () => {
    const { source, table } = notes(11, 40)
    const readable = idsOf({ ...source, reach: reachOf(row.owner.eq(who.id)) } as ListSource)
    const [corrupt, ...others] = readable
    const held = table.rows.get(corrupt!)!
    const { rank: _, ...torn } = held.data
    table.rows.set(corrupt!, { ...held, data: torn })
    const restricted = { ...source, reach: reachOf(row.owner.eq(who.id)) } as ListSource
    for (const orderBy of orders) {
      const found = list(
        restricted,
        ask({ orderBy: orderBy as ListRequest["orderBy"], limit: 1_000, countsTotal: true })
      )
      assert.deepStrictEqual(found.rows.map(({ id }) => id).sort(), others.toSorted())
      assert.strictEqual(found.total, others.length)
    }
    // A reader of every record hears which one cannot be read.
    const met = List.list(source, ask({ limit: 1_000 }))
    assert.deepInclude(Result.isFailure(met) ? met.failure : {}, { id: corrupt })
  })

  it("of several branches finds a page in the order of ids without a look at the rest", () => {
    const { table } = notes(10, 2_000)
    const rule = Access.any(row.owner.eq(who.id), row.team.in(who.set("teams")))
    const { looks, source } = counting(table)
    assert.lengthOf(idsOf({ ...source, reach: reachOf(rule) } as ListSource, { limit: 20 }), 20)
    assert.isBelow(looks(), 150)
  })
})

describe("a rule", () => {
  it("is refused where it names no field, has too many branches, or has lists look at every record", () => {
    const declare = (read: Access.Rule, options: { readonly scan?: true } = {}) =>
      class Bad extends Model.Class<Bad>("Bad")(
        { id: Model.id(Schema.String), a: Model.replicate(Schema.String), b: Schema.String },
        {
          indexes: ["a"],
          access: Access.rules(
            () => ({ read, create: Access.anyone, update: Access.anyone, delete: Access.anyone }),
            options
          )
        }
      ) {}
    const plain = row as unknown as Record<"a" | "b" | "c", Access.FieldOperand>
    assert.throws(() => declare(plain.c.eq("x")), /names c, which is no field/)
    assert.throws(() => declare(plain.b.eq("x")), /neither of b is indexed/)
    assert.throws(() => declare(Access.any(plain.a.eq("x"), plain.b.eq("x"))), /neither of b is indexed/)
    const many = Array.from({ length: 9 }, (_, at) => plain.a.eq(String(at)))
    assert.throws(() => declare(Access.any(...many)), /more than 8 branches/)
    assert.isFunction(declare(Access.all(plain.a.eq("x"), plain.b.eq("y"))))
    assert.isFunction(declare(plain.b.eq("x"), { scan: true }))
  })

  it("compares with no null, whatever the caller's claims and sets have", () => {
    const values = [who.claims("teams"), who.set("teams"), [null, "t1"]] as ReadonlyArray<Access.Values>
    const folded = [row.owner.eq(who.claim("none")), ...values.map((each) => row.team.in(each))].map((rule) =>
      Result.getOrThrow(fold(rule, caller, () => Result.succeed([null, "t0"])))
    )
    assert.deepStrictEqual(
      folded.map((branches) => branches.flat().flatMap(({ values }) => values)),
      [[], ["t1", "t2"], ["t0"], ["t1"]]
    )
  })

  it("holds for nobody who has no such id, claim or role", () => {
    for (const [name, rule] of rules) {
      const hasLiterals = ["one record, or a rank", "three branches"].includes(name)
      if (!hasLiterals) assert.deepStrictEqual(reachOf(rule, Access.anonymous), [], name)
    }
  })
})

/** What a change is to a reader of some records, by the record before and after it. docs/access.md. */
import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Access from "../../src/Access.ts"
import type { Former } from "../../src/Changes/Formers.ts"
import { verdictOf } from "../../src/Changes/Judged.ts"
import { type View, viewOf } from "../../src/Changes/View.ts"
import type { Event } from "../../src/Machine/Event.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"

class Page extends Model.Class<Page>("Page")(
  { id: Model.id(Schema.String), team: Model.replicate(Schema.String) },
  {
    indexes: ["team"],
    access: Access.rules(({ row, who }) => ({
      read: row.team.in(who.claims("teams")),
      create: Access.nobody,
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}
const descriptor = Model.describe(Page)
const policy = { sets: new Map(), commands: new Map(), projections: new Map() }

const viewFor = (...teams: ReadonlyArray<string>): View =>
  Result.getOrThrow(
    viewOf(
      { policy, tables: Tables.make([descriptor]), nowMs: 0 },
      { _tag: "Principal", id: "u", roles: [], claims: { teams } },
      [descriptor]
    )
  )
const red = viewFor("red")

const event = (type: Event["type"], previousIndex = 5): Event => ({
  type,
  model: "Page",
  modelVersion: 1,
  id: "p",
  version: 2,
  previousIndex,
  data: {}
})
const page = (team: string) => ({ id: "p", team })
const held = (team: string | undefined): Former => ({
  _tag: "Held",
  record: team === undefined ? undefined : page(team)
})

it("a change is told, entered, left, hidden or unknown", () => {
  const sight = { had: red, sinceIndex: 9, told: [red] }
  const verdict = (type: Event["type"], before: Former | undefined, after: string | undefined) =>
    verdictOf(sight, event(type), { before, after: after === undefined ? undefined : page(after) })
  assert.deepStrictEqual(
    [
      verdict("created", undefined, "red"),
      verdict("created", undefined, "blue"),
      verdict("updated", held("red"), "red"),
      verdict("updated", held("blue"), "red"),
      verdict("updated", held("red"), "blue"),
      verdict("updated", held("blue"), "blue"),
      verdict("deleted", undefined, "red"),
      verdict("deleted", undefined, "blue")
    ],
    ["Told", "Hidden", "Told", "Entered", "Left", "Hidden", "Told", "Hidden"]
  )
  // The version before is not held any more: a record in sight is told as it is, and of another nobody can tell.
  assert.strictEqual(verdict("updated", { _tag: "Missing" }, "red"), "Entered")
  assert.strictEqual(verdict("updated", { _tag: "Missing" }, "blue"), "Unknown")
  // What this release cannot read is not in sight.
  assert.strictEqual(verdict("updated", held(undefined), "blue"), "Hidden")
  assert.strictEqual(verdict("updated", held("red"), undefined), "Left")
})

it("between two views a reader has what the old one showed, and is told only what both show", () => {
  const sight = { had: viewFor("red", "blue"), sinceIndex: 9, told: [viewFor("red", "blue"), viewFor("red", "green")] }
  const verdict = (previousIndex: number, before: string, after: string) =>
    verdictOf(sight, event("updated", previousIndex), { before: held(before), after: page(after) })
  // Had from before: it leaves. Changed since: it was never told.
  assert.strictEqual(verdict(5, "blue", "blue"), "Left")
  assert.strictEqual(verdict(12, "blue", "blue"), "Hidden")
  assert.strictEqual(verdict(5, "green", "green"), "Hidden")
  assert.strictEqual(verdict(5, "red", "red"), "Told")
  assert.strictEqual(verdict(12, "blue", "red"), "Entered")
  assert.strictEqual(verdict(5, "red", "green"), "Left")
})

it("two views of the same records have one name, in whatever order the values come", () => {
  assert.strictEqual(viewFor("red", "blue", "red").name, viewFor("blue", "red").name)
  assert.notStrictEqual(viewFor("red").name, viewFor("blue").name)
})

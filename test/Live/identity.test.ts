/** Readers of one page share its query. docs/live.md. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Folded } from "../../src/Access/fold.ts"
import { identityOf, type LiveRequest } from "../../src/Live/LiveRequest.ts"
import * as Model from "../../src/Model.ts"

class Item extends Model.Class<Item>("Item")({
  id: Model.id(Schema.String),
  team: Model.replicate(Schema.String)
}) {}

const of = (reach: Folded | undefined): string =>
  identityOf({
    descriptor: Model.describe(Item),
    filters: [],
    orderBy: [{ field: "id", direction: "asc" }],
    limit: 10,
    after: undefined,
    select: undefined,
    reach
  } satisfies LiveRequest)

const teams = (...values: ReadonlyArray<string>) => [{ field: "team", values }]

it("two readers of the same records share a query, in whatever order their sets come", () => {
  assert.strictEqual(of([teams("a", "b", "a")]), of([teams("b", "a")]))
  assert.strictEqual(of([teams("a"), teams("b")]), of([teams("b"), teams("a")]))
  const names = [undefined, [teams("a")], [teams("b")], [teams("a", "b")], [teams("a"), teams("b")]].map(of)
  assert.strictEqual(new Set(names).size, names.length)
})

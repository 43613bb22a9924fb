/** A table of items with ties, absent values and local parts, for tests of live queries: every change is one moment. */
import { Result, Schema } from "effect"
import * as Engine from "../../src/Live/Engine.ts"
import type { LiveRequest } from "../../src/Live/LiveRequest.ts"
import type { Filter } from "../../src/Machine/Filter.ts"
import { list } from "../../src/Machine/List.ts"
import type { ListSource } from "../../src/Machine/ListedRows.ts"
import { selected } from "../../src/Machine/ListedRows.ts"
import * as LocalParts from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { OrderBy } from "../../src/Machine/Order.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import type { seeded } from "../Machine/Seeded.ts"

export class Item extends Model.Class<Item>("Item")(
  {
    id: Model.id(Schema.String),
    group: Model.replicate(Schema.String),
    rank: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
    price: Schema.optionalKey(Schema.String.pipe(Model.decimal)),
    note: Model.local(Schema.String)
  },
  { indexes: ["group", "rank"] }
) {}
export const descriptor = Model.describe(Item)

const byId: OrderBy = { field: "id", direction: "asc" }

/** A request for a page of items. */
export const ask = (request: Partial<LiveRequest> = {}): LiveRequest => ({
  descriptor,
  filters: [],
  orderBy: [byId],
  limit: 3,
  after: undefined,
  select: undefined,
  ...request
})

const groups = ["a", "b", "c"] as const
const orders: readonly [LiveRequest["orderBy"], ...ReadonlyArray<LiveRequest["orderBy"]>] = [
  [byId],
  [{ field: "id", direction: "desc" }],
  [{ field: "rank", direction: "asc" }, byId],
  [
    { field: "rank", direction: "desc" },
    { field: "price", direction: "asc" },
    { field: "id", direction: "desc" }
  ],
  [{ field: "note", direction: "asc" }, byId]
]
const named = (n: number): string => String(n).padStart(2, "0")
const filterSets = ({ below, pick }: ReturnType<typeof seeded>): ReadonlyArray<Filter> =>
  pick<ReadonlyArray<Filter>>([
    [],
    [{ _tag: "Compare", field: "group", op: "eq", operand: pick(groups) }],
    [{ _tag: "In", field: "group", operands: [pick(groups), pick(groups)] }],
    [
      { _tag: "Compare", field: "group", op: "eq", operand: pick(groups) },
      { _tag: "Compare", field: "rank", op: "gte", operand: below(3) }
    ],
    [{ _tag: "Compare", field: "id", op: "gte", operand: named(below(20)) }],
    [{ _tag: "In", field: "id", operands: [named(below(24)), named(below(24)), "absent"] }],
    [{ _tag: "Compare", field: "price", op: "eq", operand: "1.50" }],
    [{ _tag: "Is", field: "rank", isNull: true }],
    [{ _tag: "Compare", field: "group", op: "neq", operand: pick(groups) }],
    [{ _tag: "Like", field: "note", segments: ["x", ""] }]
  ])

/** A random page: few different ones, so that some are equal. */
export const randomRequest = (random: ReturnType<typeof seeded>): LiveRequest => {
  const { below, pick } = random
  const orderBy = pick(orders)
  return ask({
    filters: filterSets(random),
    orderBy,
    limit: 1 + below(5),
    after: below(4) === 0 && orderBy[0].field === "id" ? [named(below(24))] : undefined,
    select: below(4) === 0 ? ["id", "rank"] : undefined
  })
}

/** A machine whose decisions are applied at once, with an engine that hears of each change. */
export const make = () => {
  const machine = Machine.make([descriptor])
  let local = Tables.make([descriptor])
  /** Counts changes of either log. */
  let moment = 0
  const sourceOf = (tables: Tables.Tables, parts: Tables.Tables): ListSource => ({
    table: tables.byModel.get("Item")!,
    idField: "id",
    localParts: parts.byModel.get("Item")!.localParts
  })
  const source = () => sourceOf(machine.applied, local)
  const engine = Engine.make(
    () => ({ source: source(), index: moment }),
    () => moment
  )
  const states = new Map<number, ListSource>()
  const note = () => {
    moment += 1
    states.set(moment, sourceOf(Tables.clone(machine.applied), Tables.clone(local)))
  }
  note()

  const run = (command: Parameters<typeof Machine.decideNext>[1]) => {
    Machine.beginSpeculation(machine)
    const index = machine.applied.index + 1
    const { entry } = Machine.decideNext(machine, command, { index, nowMs: 1, newId: () => "new" })
    if (entry === undefined) return
    const { events } = Machine.apply(machine, { index, payload: entry.payload })
    for (const { id, model } of events) engine.touch(model, id)
    note()
  }

  const setPart = (id: string, text: string | undefined) => {
    const row = machine.applied.byModel.get("Item")!.rows.get(id)
    if (row === undefined) return
    const { createdIndex, version } = row
    const data = text === undefined ? {} : { note: text }
    LocalParts.setLocalPart(local.byModel.get("Item")!, { model: "Item", id, createdIndex, version, data })
    engine.touch("Item", id)
    note()
  }

  return {
    engine,
    moment: () => moment,
    run,
    put: (id: string, data: Record<string, unknown> = {}) =>
      run({ _tag: "Put", model: "Item", id, data: { group: "a", ...data } as never }),
    remove: (id: string) => run({ _tag: "Delete", model: "Item", id }),
    setPart,
    /** Another state takes the place of the tables, as a snapshot of the leader does. */
    replace: (change: () => void) => {
      change()
      local = Tables.clone(local)
      machine.applied = Tables.clone(machine.applied)
      engine.touchAll()
      note()
    },
    /** The list of the same request at a moment. */
    listed: (request: LiveRequest, at: number = moment) => {
      const { rows, lastKey } = Result.getOrThrow(list(states.get(at)!, { ...request, countsTotal: false }))
      return {
        items: rows.map(({ id, record, row }) => ({
          id,
          version: row.version,
          text: JSON.stringify(selected(record, request.select))
        })),
        hasNext: lastKey !== undefined
      }
    }
  }
}

export type Items = ReturnType<typeof make>

/** Makes one random change. */
export const randomChange = (items: Items, { below, pick }: ReturnType<typeof seeded>): void => {
  const id = named(below(24))
  const data = () => ({
    group: pick(groups),
    ...(below(4) === 0 ? {} : { rank: below(4) === 0 ? null : below(3) }),
    ...(below(2) === 0 ? {} : { price: pick(["1.5", "1.50", "02"]) })
  })
  const kind = below(8)
  if (kind < 2) items.remove(id)
  else if (kind === 2) items.setPart(id, pick([undefined, "x", "xy", "y"]))
  else if (kind === 3) {
    const operations = [0, 1, 2, 3].map(() => ({
      _tag: "Put" as const,
      model: "Item",
      id: named(below(24)),
      data: data()
    }))
    items.run({ _tag: "Transact", operations })
  } else if (kind === 4) items.run({ _tag: "Patch", model: "Item", id, data: { rank: below(3) } })
  else items.put(id, data())
}

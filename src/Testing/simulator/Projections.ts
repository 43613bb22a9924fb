/**
 * What the nodes of a simulated cluster fold from committed events, beside what its tables say of the same: two views of
 * one history. Not who folds what when (SimulatorFollowers.ts). Pure.
 */
import { Schema } from "effect"
import type { Row, Tables } from "../../Machine/Tables.ts"
import { type Folded, make } from "../../Projection/Definition.ts"
import { isOf } from "../../Projection/Event.ts"
import { wholeKey } from "../../Projection/Fold.ts"
import { Account, Note, Register, Transfer } from "./Models.ts"

/** Each counts events in a unit of its own, so that states of one that pass for the other's are found. */
export type Version = 1 | 2

export const projectionNames = ["records", "sums"] as const
export type ProjectionName = (typeof projectionNames)[number]

/** A projection, and the states that it has to come to, by the tables at the same entry. */
export interface Viewed {
  readonly name: ProjectionName
  readonly projection: Folded<unknown>
  readonly inTables: (tables: Tables) => ReadonlyArray<readonly [string, Schema.Json]>
}

const rowsOf = ({ byModel }: Tables, model: string): ReadonlyArray<readonly [string, Row]> => [
  ...(byModel.get(model)?.rows.entries() ?? [])
]

/** By key, as long as a record is there: what it holds, and its events. Those before its last creation are in its version. */
const records = (unit: Version): Viewed => ({
  name: "records",
  projection: make("records", {
    from: [Account, Register],
    version: unit,
    state: Schema.Struct({ value: Schema.String, events: Schema.Int }),
    initial: { value: "", events: 0 },
    key: ({ id }) => id,
    evolve: ({ events }, event) => {
      if (event.type === "deleted") return undefined
      const value = isOf(event, Account) ? `${event.record.balance}` : (event.record as Register).value
      return { value, events: event.type === "created" ? unit * event.version : events + unit }
    }
  }),
  inTables: (tables) =>
    [...rowsOf(tables, "Account"), ...rowsOf(tables, "Register")].map(([id, { data, version }]) => {
      return [id, { value: `${data.balance ?? data.value}`, events: unit * version }]
    })
})

/** One state: the events of all records that are never deleted, and the money that commands moved. */
const sums = (unit: Version): Viewed => ({
  name: "sums",
  projection: make("sums", {
    from: [Account, Note, Transfer],
    version: unit,
    state: Schema.Struct({ events: Schema.Int, moved: Schema.Int }),
    initial: { events: 0, moved: 0 },
    evolve: ({ events, moved }, event) => ({
      events: events + unit,
      moved: isOf(event, Transfer) ? moved + event.record.amount : moved
    })
  }),
  inTables: (tables) => {
    let [events, moved] = [0, 0]
    for (const model of ["Account", "Note", "Transfer"]) {
      for (const [, { data, version }] of rowsOf(tables, model)) {
        events += unit * version
        moved += Number(data.amount ?? 0)
      }
    }
    return events === 0 ? [] : [[wholeKey, { events, moved }]]
  }
})

const declared: { readonly [V in Version]: ReadonlyArray<Viewed> } = {
  1: [records(1), sums(1)],
  2: [records(2), sums(2)]
}

/** Those of the code that a node runs. */
export const projectionsOf = (version: Version): ReadonlyArray<Viewed> => declared[version]

/**
 * The projections of a simulated cluster, each with the states that the tables give for it: two views of one history.
 * Followers.ts folds them. Pure.
 */
import { Schema } from "effect"
import type { Row } from "../../Machine/Table.ts"
import type { Tables } from "../../Machine/Tables.ts"
import { type Folded, make } from "../../Projection/Definition.ts"
import { isOf } from "../../Projection/Event.ts"
import { wholeKey } from "../../Projection/Fold.ts"
import { Account, Note, Register, Transfer } from "./Models.ts"

/** Each version counts events in its own unit, so that the checks find states of one version in the other. */
export type Version = 1 | 2

export const projectionNames = ["records", "sums"] as const
export type ProjectionName = (typeof projectionNames)[number]

/** A projection, and its states according to the tables at the same entry. */
export interface Viewed {
  readonly name: ProjectionName
  readonly projection: Folded<unknown>
  readonly inTables: (tables: Tables) => ReadonlyArray<readonly [string, Schema.Json]>
}

const rowsOf = ({ byModel }: Tables, model: string): ReadonlyArray<readonly [string, Row]> => [
  ...(byModel.get(model)?.rows.entries() ?? [])
]

/** By key, while the record exists: its value and its events. Its version counts events before its last creation. */
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

/** The projections of the release that a node runs. */
export const projectionsOf = (version: Version): ReadonlyArray<Viewed> => declared[version]

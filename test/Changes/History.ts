/** Random histories of a log, and what a follower must be told of them. The expectation reads the events alone. */
import type { Entry } from "../../src/Changes/Change.ts"
import type { Event } from "../../src/Machine/Event.ts"
import type { Transaction } from "../../src/Machine/Transaction.ts"
import { seeded } from "../Machine/Seeded.ts"

const types = ["created", "updated", "deleted"] as const

/** Entries 1 to `count`: some are a leader's own, some change nothing, and some hold many events. */
export const drawEntries = (seed: number, count: number): ReadonlyArray<Entry> => {
  const { below, pick } = seeded(seed)
  const eventOf = (index: number): Event => ({
    type: pick(types),
    model: pick(["Product", "User", "Other"]),
    modelVersion: 1,
    id: `r${below(9)}`,
    version: index,
    previousIndex: 0,
    data: { price: below(100), email: `e${below(9)}`, id: "x" }
  })
  return Array.from({ length: count }, (_, at) => {
    const index = at + 1
    if (below(6) === 0) return { index, transaction: undefined }
    const events = Array.from({ length: pick([0, 1, 1, 1, 2, 3, 7]) }, () => eventOf(index))
    const transaction = { timeMs: index, logAgeMs: 0, command: "X", events, outcome: { _tag: "Accepted" } }
    return { index, transaction: transaction as Transaction }
  })
}

/** The id of every change of these models, in order. */
export const idsOf = (entries: ReadonlyArray<Entry>, models: ReadonlyArray<string>): ReadonlyArray<string> =>
  entries.flatMap(({ index, transaction }) =>
    (transaction?.events ?? []).flatMap(({ model }, ordinal) => (models.includes(model) ? [`${index}.${ordinal}`] : []))
  )

/** Whether the change of this id comes after a position. */
export const isAfter = (id: string, position: string): boolean => {
  const [index = 0, ordinal = 0] = id.split(".").map(Number)
  const [seenIndex = 0, seenOrdinal = Number.POSITIVE_INFINITY] = position.split(".").map(Number)
  return index > seenIndex || (index === seenIndex && ordinal > seenOrdinal)
}

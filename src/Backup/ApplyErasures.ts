/**
 * Erases from a state, before a new cluster begins with it, the records that the former cluster erased after the archive
 * was taken. Without the models nobody knows which records refer to others, so only the named ones go: the list of a
 * cluster also names the records that were deleted with them. Pure but for the tables, which it changes.
 */
import { Result, Schema } from "effect"
import * as Erasure from "../Machine/Erasure.ts"
import type { Event } from "../Machine/Event.ts"
import { evolve } from "../Machine/evolve.ts"
import { nextVersion } from "../Machine/Restored.ts"
import { get, type Tables } from "../Machine/Tables.ts"

/** Erasures as `GET /_admin/api/erasures` gives them. */
const Listed = Schema.fromJsonString(
  Schema.Struct({
    items: Schema.Array(Schema.Struct({ model: Schema.String, id: Schema.String, index: Schema.Int }))
  })
)
export type ListedErasure = (typeof Listed)["Type"]["items"][number]

/** Reads the list of a cluster, or says what is wrong with it. */
export const readErasures = (json: string): Result.Result<ReadonlyArray<ListedErasure>, string> =>
  Result.mapBoth(Schema.decodeUnknownResult(Listed)(json), {
    onFailure: ({ message }) => message,
    onSuccess: ({ items }) => items
  })

/** Erases what the state does not know to be erased. Returns the erased records that were still there. */
export const applyErasures = (tables: Tables, listed: ReadonlyArray<ListedErasure>): ReadonlyArray<Erasure.Named> => {
  const { erasedAt } = Erasure.erasuresOf(tables)
  const due = listed.filter(({ id, index, model }) => tables.byModel.has(model) && erasedAt(model, id) < index)
  if (due.length === 0) return []
  // A record that came under the id after its erasure stays.
  const gone = due.filter(({ id, index, model }) => (get(tables, model, id)?.index ?? index) < index)
  const events = gone.map(({ id, model }): Event => {
    const { index: previousIndex, modelVersion, version } = get(tables, model, id)!
    const deleted = { type: "deleted", model, modelVersion, id, version: nextVersion(tables, version) } as const
    return { ...deleted, previousIndex, data: Erasure.nothing, erased: true }
  })
  const erased = due
    .filter(({ id, index, model }) => (get(tables, model, id)?.index ?? 0) < index)
    .map(({ id, model }) => ({ model, id }))
  const { index, lastTimeMs: timeMs, logAgeMs } = tables
  const erasedOutcomes = Erasure.outcomesOf(tables, erased)
  const transaction = {
    timeMs,
    logAgeMs,
    command: "Erase",
    events,
    erased,
    erasedOutcomes,
    outcome: { _tag: "Accepted" }
  } as const
  evolve(tables, { index: index + 1, transaction })
  return gone.map(({ id, model }) => ({ model, id }))
}

/** The rows of a state, and the events of entries, as lines of JSON: as they are stored, without the models. Pure. */
import { Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { Tables } from "../Machine/Tables.ts"
import { decode } from "../Machine/Transaction.ts"

/** One line for each record, by model and id. */
export function* exportRows(tables: Tables, models: ReadonlyArray<string>): Generator<string> {
  for (const [model, table] of tables.byModel) {
    if (models.length > 0 && !models.includes(model)) continue
    for (const [id, { createdIndex, data, index, modelVersion, version }] of table.rows.entries()) {
      yield JSON.stringify({ model, id, version, modelVersion, createdIndex, index, record: data })
    }
  }
}

/** One line for each event of an entry, in order. An entry without events has none. */
export const exportEvents = (
  { index, payload, type }: LogEntry,
  models: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const decoded = type === "transaction" ? decode(payload) : undefined
  if (decoded === undefined || Result.isFailure(decoded)) return []
  const { command, events, principal, timeMs } = decoded.success
  return events
    .filter(({ model }) => models.length === 0 || models.includes(model))
    .map(({ data, id, model, modelVersion, type, version }) =>
      JSON.stringify({
        index,
        time: new Date(timeMs).toISOString(),
        command,
        ...(principal === undefined ? {} : { actor: principal }),
        type,
        model,
        id,
        version,
        modelVersion,
        record: data
      })
    )
}

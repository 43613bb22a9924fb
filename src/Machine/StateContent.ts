/**
 * Counts the state hash again from the content of tables. Pure. `evolve` updates the hash with each change, so if the
 * two differ, something else changed the tables. It counts in steps, since the time grows with the state.
 */
import * as AssignedKeys from "./AssignedKeys.ts"
import * as DatedKeys from "./DatedKeys.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"
import { countWhole, type Tables } from "./Tables.ts"

/** The elements of tables. Pass a clone, since the tables must not change meanwhile. */
function* elementsOf(tables: Tables): Generator<string> {
  for (const [model, table] of tables.byModel) {
    if (StateElements.isTableCounted(table)) yield StateElements.table(model, table)
    for (const [id, row] of table.rows.entries()) yield StateElements.row(model, id, row)
    for (const [id, tombstone] of table.tombstones.entries()) yield StateElements.tombstone(model, id, tombstone)
    for (const [id, index] of table.erasures.entries()) yield StateElements.erasure(model, id, index)
  }
  for (const [name, session] of tables.sessions.entries()) yield StateElements.session(name, session)
  for (const { endsGeneration, index, name } of AssignedKeys.entries(tables.assignedKeys)) {
    yield StateElements.assignedKey(name, index)
    if (endsGeneration) yield StateElements.generation(index)
  }
  for (const { bucket, horizonIndex } of DatedKeys.horizons(tables.datedKeys)) {
    yield StateElements.bucketHorizon(bucket, horizonIndex)
  }
  for (const { bucket, digest, endsGeneration, index } of DatedKeys.entries(tables.datedKeys)) {
    yield StateElements.datedKey(bucket, digest, index)
    if (endsGeneration) yield StateElements.datedGeneration(bucket, index)
  }
}

/** Counts the elements with a pause after each, and returns their hash. */
export function* counting(tables: Tables): Generator<void, StateHash.StateHash> {
  const hash = StateHash.make()
  countWhole({ ...tables, hash })
  for (const element of elementsOf(tables)) {
    StateHash.add(hash, element)
    yield
  }
  return hash
}

/** Counts the elements without pauses. */
export const hashOf = (tables: Tables): StateHash.StateHash => {
  const steps = counting(tables)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

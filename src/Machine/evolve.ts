/**
 * Applies an entry to the tables, in the same way on every node. Pure but for the tables, which it owns and changes.
 * Total: it checks nothing, runs no model code and accepts every entry of the log. D2.
 */
import type { Answer, OperationAnswer } from "./Answer.ts"
import type { Event, Lifted } from "./Event.ts"
import { isFormatActive, keyBuckets } from "./Format.ts"
import * as Limits from "./Limits.ts"
import { setLocalPart } from "./LocalParts.ts"
import * as Rows from "./Rows.ts"
import * as Sessions from "./Sessions.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"
import type { Row, Table, Tombstone } from "./Table.ts"
import { clone, count, countFormat, discount, discountFormat, type Tables, tableToChange } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

/** Applies one decided transaction as the entry at `index`. */
export const evolve = (tables: Tables, entry: { readonly index: number; readonly transaction: Transaction }): void => {
  const { index, transaction } = entry
  setLimits(tables, transaction)
  for (const [model, version] of Object.entries(transaction.activated ?? {})) {
    activate(tables, model, tableToChange(tables, model), version)
  }
  for (const lifted of transaction.lifted ?? []) evolveLifted(tables, index, lifted)
  for (const model of transaction.ended ?? []) evolveEnd(tables, model)
  if (transaction.forgotten !== undefined) forget(tables, transaction.forgotten)
  const changed = transaction.events.map((event) => evolveEvent(tables, index, event))
  if (transaction.erased !== undefined) evolveErased(tables, index, transaction)
  endEntry(tables, entry, changed)
}

/** Applies all of an entry but its events, whose changes the tables have. */
export const endEntry = (
  tables: Tables,
  { index, transaction }: { readonly index: number; readonly transaction: Transaction },
  changed: ReadonlyArray<OperationAnswer>
): void => {
  setFormat(tables, transaction)
  setRetained(tables, transaction)
  for (const part of transaction.localParts ?? []) setLocalPart(tableToChange(tables, part.model), part)
  Sessions.note(tables, index, transaction, () => answerOf(transaction, changed))
  setLast(tables, index, transaction)
}

/** An older set never replaces a newer one. If a limit has shrunk, the excess goes as new elements come. */
const setLimits = (tables: Tables, { limits }: Transaction): void => {
  if (limits === undefined || !Limits.isNewer(limits, tables.limits)) return
  discount(tables, () => StateElements.limits(tables.limits))
  tables.limits = { ...tables.limits, ...limits }
  count(tables, () => StateElements.limits(tables.limits))
}

/** A format never goes back. */
const setFormat = (tables: Tables, { format }: Pick<Transaction, "format">): void => {
  if (format === undefined || format <= tables.format) return
  const wasBucketed = isFormatActive(tables, keyBuckets)
  discountFormat(tables)
  tables.format = format
  countFormat(tables)
  if (!wasBucketed && isFormatActive(tables, keyBuckets)) Sessions.bucketAll(tables)
}

/** A copy of tables in this format, or the later one that they have: keys and their horizons come along. */
export const raisedTo = (tables: Tables, format: number): Tables => {
  const raised = clone(tables)
  setFormat(raised, { format })
  return raised
}

/** What is removed does not come back. */
const setRetained = (tables: Tables, { retainedFrom }: Transaction): void => {
  const former = tables.retainedFrom
  if (retainedFrom === undefined || retainedFrom <= former) return
  if (former > 0) discount(tables, () => StateElements.retained(former))
  tables.retainedFrom = retainedFrom
  count(tables, () => StateElements.retained(retainedFrom))
}

const setLast = (tables: Tables, index: number, { logAgeMs, timeMs }: Transaction): void => {
  if (tables.isHashed) StateHash.minus(tables.hash, StateElements.last(tables))
  tables.index = index
  tables.lastTimeMs = Math.max(tables.lastTimeMs, timeMs)
  tables.logAgeMs = Math.max(tables.logAgeMs, logAgeMs)
  if (tables.isHashed) StateHash.plus(tables.hash, StateElements.last(tables))
}

/** Applies one event of the entry at `index`. */
export const evolveEvent = (tables: Tables, index: number, event: Event): OperationAnswer => {
  const table = tableToChange(tables, event.model)
  activate(tables, event.model, table, event.modelVersion)
  table.changedIndex = index
  const before = table.rows.get(event.id)
  switch (event.type) {
    case "created":
      setRow(tables, table, event, { before, createdIndex: index, index })
      break
    case "updated":
      setRow(tables, table, event, { before, createdIndex: before?.createdIndex ?? index, index })
      break
    case "deleted":
      removeRow(tables, table, event, before)
      setTombstone(tables, table, event, index)
      break
  }
  const { data: record, id, model, modelVersion, type: change, version } = event
  const createdIndex = change === "created" ? index : (before?.createdIndex ?? index)
  return { change, model, id, version, index, createdIndex, modelVersion, record }
}

/** Stores a record anew. Only its version of the shape and its data change. */
const evolveLifted = (tables: Tables, index: number, { data, id, model, modelVersion }: Lifted): void => {
  const table = tableToChange(tables, model)
  const before = table.rows.get(id)
  if (before === undefined) return
  table.changedIndex = index
  discount(tables, () => StateElements.row(model, id, before))
  const row: Row = { ...before, modelVersion, data }
  Rows.put(table, id, row, before)
  count(tables, () => StateElements.row(model, id, row))
}

/** Notes erased records, whose deletions are events of the same entry, and forgets outcomes that hold their data. */
const evolveErased = (tables: Tables, index: number, { erased = [], erasedOutcomes = [] }: Transaction): void => {
  for (const { id, model } of erased) {
    const table = tableToChange(tables, model)
    const before = table.erasures.get(id)
    if (before !== undefined) discount(tables, () => StateElements.erasure(model, id, before))
    table.erasures.set(id, index)
    count(tables, () => StateElements.erasure(model, id, index))
    if (table.erasedIndex === index) continue
    changeTable(tables, model, table, () => {
      table.erasedIndex = index
    })
  }
  for (const at of erasedOutcomes) Sessions.forgetOutcome(tables, at)
}

/** A release that has the model's last version decides nothing about it any more. */
const evolveEnd = (tables: Tables, model: string): void => {
  const table = tableToChange(tables, model)
  changeTable(tables, model, table, () => {
    table.modelVersion += 1
    table.isEnded = true
  })
}

/** Forgets records without an event. If an id comes again, its versions go on, so that no version names two states. */
const forget = (tables: Tables, { ids, model }: NonNullable<Transaction["forgotten"]>): void => {
  const table = tableToChange(tables, model)
  for (const id of ids) {
    const row = table.rows.get(id)
    if (row !== undefined) {
      Rows.remove(table, id, row)
      discount(tables, () => StateElements.row(model, id, row))
    }
    const version = row?.version ?? table.tombstones.get(id)?.version ?? 0
    removeTombstone(tables, table, model, id)
    if (version <= table.versionFloor) continue
    changeTable(tables, model, table, () => {
      table.versionFloor = version
    })
  }
}

/** An older version never replaces a newer one. */
const activate = (tables: Tables, model: string, table: Table, version: number): void => {
  if (version <= table.modelVersion) return
  changeTable(tables, model, table, () => {
    table.modelVersion = version
    table.isEnded = false
  })
}

/** The answer that `decide` gave, rebuilt from its events and its notes on operations without one. */
export const answerOf = ({ events, outcome, timeMs }: Transaction, changed: ReadonlyArray<OperationAnswer>): Answer => {
  const operations = changed.filter((_, at) => events[at]?.cascaded !== true)
  if (outcome._tag === "Accepted" && outcome.value !== undefined)
    return { timeMs, operations: [], value: outcome.value }
  const unchanged = outcome._tag === "Accepted" ? (outcome.unchanged ?? []) : []
  for (const { answer, position } of unchanged) operations.splice(position, 0, answer)
  return { timeMs, operations }
}

const setRow = (
  tables: Tables,
  table: Table,
  event: Event,
  at: { readonly before: Row | undefined; readonly createdIndex: number; readonly index: number }
): void => {
  const { before, createdIndex, index } = at
  if (before !== undefined) discount(tables, () => StateElements.row(event.model, event.id, before))
  removeTombstone(tables, table, event.model, event.id)
  const { data, modelVersion, version } = event
  const row: Row = { version, createdIndex, index, modelVersion, data }
  Rows.put(table, event.id, row, before)
  count(tables, () => StateElements.row(event.model, event.id, row))
}

const removeRow = (tables: Tables, table: Table, event: Event, row: Row | undefined): void => {
  if (row === undefined) return
  Rows.remove(table, event.id, row)
  discount(tables, () => StateElements.row(event.model, event.id, row))
}

/**
 * The most tombstones that one deletion evicts: two, so that an excess goes little by little when their limit has
 * shrunk.
 */
const evictedMaxCount = 2

const setTombstone = (tables: Tables, table: Table, event: Event, index: number): void => {
  const { id, model, version } = event
  removeTombstone(tables, table, model, id)
  const tombstone: Tombstone = { version, index, sequence: table.nextTombstoneSequence }
  changeTable(tables, model, table, () => {
    table.nextTombstoneSequence++
    table.tombstones.set(id, tombstone)
    table.tombstoneOrder.set(tombstone.sequence, id)
    count(tables, () => StateElements.tombstone(model, id, tombstone))
    for (let evicted = 0; evicted < evictedMaxCount; evicted++) {
      if (table.tombstones.size > tables.limits.tombstonesMax) evictTombstone(tables, table, model)
    }
  })
}

const removeTombstone = (tables: Tables, table: Table, model: string, id: string): void => {
  const tombstone = table.tombstones.get(id)
  if (tombstone === undefined) return
  table.tombstones.delete(id)
  table.tombstoneOrder.delete(tombstone.sequence)
  discount(tables, () => StateElements.tombstone(model, id, tombstone))
}

/** Evicts the oldest. No id may start again at or below its version, so that no version ever names two states. */
const evictTombstone = (tables: Tables, table: Table, model: string): void => {
  const sequence = table.tombstoneOrder.minKey()
  const id = sequence === undefined ? undefined : table.tombstoneOrder.get(sequence)
  const tombstone = id === undefined ? undefined : table.tombstones.get(id)
  if (id === undefined || tombstone === undefined) return
  removeTombstone(tables, table, model, id)
  table.versionFloor = Math.max(table.versionFloor, tombstone.version)
}

/** Changes the fields of a table besides its records. */
const changeTable = (tables: Tables, model: string, table: Table, change: () => void): void => {
  if (StateElements.isTableCounted(table)) discount(tables, () => StateElements.table(model, table))
  change()
  count(tables, () => StateElements.table(model, table))
}

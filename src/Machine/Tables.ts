/**
 * The state of the machine: one ordered table for each model, in memory. Pure. D5.
 * Only `evolve` changes it, in place. A {@link clone} costs the same at any size, and shares all that neither changes.
 */

import { invariant } from "../Invariant.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { readAsStored } from "../Model/StoredRecord.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import type { Chain } from "./Chain.ts"
import * as DatedKeys from "./DatedKeys.ts"
import * as FieldIndex from "./FieldIndex.ts"
import * as Format from "./Format.ts"
import * as IndexBuilding from "./IndexBuilding.ts"
import * as Limits from "./Limits.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { type Referrers, referrersOf } from "./Referrers.ts"
import type { Restored } from "./Restored.ts"
import * as RowMap from "./RowMap.ts"
import type { Session } from "./Session.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"
import type { Row, Table } from "./Table.ts"

/** All tables of one log, with the keys, limits and times of the log. */
export interface Tables {
  readonly descriptors: ReadonlyMap<string, Descriptor>
  /** By model, the references that other models have to it. */
  readonly referrers: Referrers
  /** The tables of all models, also of those without code on this node. */
  readonly byModel: Map<string, Table>
  /** Opaque keys by name, from format 3 on by digest, and the same keys by the index of their entry, oldest first. */
  readonly sessions: OrderedMap.OrderedMap<string, Session>
  readonly sessionOrder: OrderedMap.OrderedMap<number, string>
  /** From format 3 on: the number of opaque keys of each bucket of holders, and the bytes of their outcomes. */
  readonly keyCounts: OrderedMap.OrderedMap<number, number>
  outcomesBytes: number
  /** Dated keys, before format 3 by name, and from then on by digest. */
  readonly assignedKeys: AssignedKeys.AssignedKeys
  readonly datedKeys: DatedKeys.DatedKeys
  /** Whether the log is a node's own: its dated keys count its own entries. */
  readonly isOfNode: boolean
  readonly hash: StateHash.StateHash
  /** The models whose tables are still those of the tables that this is a {@link draft} of. None in others. */
  readonly borrowed: Set<string>
  /** Whether the hash follows the state. That of speculative tables does not, since only applied states are compared. */
  readonly isHashed: boolean
  /** The active format (Format.ts). */
  format: number
  /** The first entry of the history that nodes retain; 0 if they retain all of it. */
  retainedFrom: number
  /** Present if a restore or a recovery began this log (Restored.ts). It never changes. */
  readonly restored: Restored | undefined
  /** The chain of digests, if the log has one (Evidence.ts). */
  chain: Chain | undefined
  /** The limits that the log states. */
  limits: Limits.Limits
  lastTimeMs: number
  /** The age of the log when its last entry was decided (LogAge.ts). */
  logAgeMs: number
  /** The index of the last entry that evolved these tables. */
  index: number
}

/** The state before the first entry. */
export const make = (
  descriptors: ReadonlyArray<Descriptor>,
  limits: Limits.Limits = Limits.initial,
  { isOfNode = false }: { readonly isOfNode?: boolean | undefined } = {}
): Tables => {
  const tables: Tables = {
    descriptors: new Map(descriptors.map((descriptor) => [descriptor.name, descriptor])),
    referrers: referrersOf(descriptors),
    byModel: new Map(descriptors.map((descriptor) => [descriptor.name, makeTable(descriptor)])),
    sessions: OrderedMap.make(),
    sessionOrder: OrderedMap.make(),
    keyCounts: OrderedMap.make(),
    outcomesBytes: 0,
    assignedKeys: AssignedKeys.make(),
    datedKeys: DatedKeys.make(),
    isOfNode,
    hash: StateHash.make(),
    borrowed: new Set(),
    isHashed: true,
    format: Format.initial,
    retainedFrom: 0,
    restored: undefined,
    chain: undefined,
    limits,
    lastTimeMs: 0,
    logAgeMs: 0,
    index: 0
  }
  countWhole(tables)
  return tables
}

/** Adds an element to the state's hash. If no hash is kept, the element's text is not made. */
export const count = (tables: Tables, element: () => string): void => {
  if (tables.isHashed) StateHash.add(tables.hash, element())
}

/** Removes an element from the state's hash. */
export const discount = (tables: Tables, element: () => string): void => {
  if (tables.isHashed) StateHash.remove(tables.hash, element())
}

/** Adds the active format to the hash, and removes it. */
export const countFormat = (tables: Tables): void => changeFormat(tables, count)
export const discountFormat = (tables: Tables): void => changeFormat(tables, discount)

const changeFormat = (tables: Tables, change: typeof count): void => {
  const element = StateElements.format(tables.format)
  if (element !== undefined) change(tables, () => element)
}

/** The hash that elements of these tables belong to, if one is kept. */
export const hashOf = ({ hash, isHashed }: Tables): StateHash.StateHash | undefined => (isHashed ? hash : undefined)

/** Adds the elements that every state has exactly once. */
export const countWhole = (tables: Tables): void => {
  const { assignedKeys, chain, datedKeys, format, hash, limits, restored, retainedFrom, ...state } = tables
  StateHash.plus(hash, StateElements.last(state))
  const formatElement = StateElements.format(format)
  if (formatElement !== undefined) StateHash.add(hash, formatElement)
  if (retainedFrom > 0) StateHash.add(hash, StateElements.retained(retainedFrom))
  if (restored !== undefined) StateHash.add(hash, StateElements.restored(restored))
  if (chain !== undefined) StateHash.add(hash, StateElements.chain(chain))
  StateHash.add(hash, StateElements.limits(limits))
  StateHash.add(hash, StateElements.horizon(assignedKeys.horizonIndex))
  if (Format.isFormatActive(tables, Format.keyBuckets)) {
    StateHash.add(hash, StateElements.horizonFloor(datedKeys.floorIndex))
  }
}

/** The same records and keys where another log begins, with the hash of that. The former tables stay as they are. */
export const beginningAnew = (tables: Tables, changes: Pick<Tables, "index" | "format" | "restored">): Tables => {
  // A chain of digests covers one log.
  const began = { ...tables, ...changes, chain: undefined, hash: StateHash.clone(tables.hash) }
  StateHash.minus(began.hash, wholeOf(tables))
  StateHash.plus(began.hash, wholeOf(began))
  return began
}

const wholeOf = (tables: Tables): StateHash.StateHash => {
  const hash = StateHash.make()
  countWhole({ ...tables, hash })
  return hash
}

/** An empty table. It has no indexes if this node has no code for the model. */
export const makeTable = (descriptor?: Pick<Descriptor, "idField" | "indexedFields" | "orders" | "read">): Table => {
  const indexed = descriptor?.indexedFields ?? []
  return {
    rows: RowMap.make(),
    indexes: new Map(indexed.map((field) => [field, FieldIndex.make()])),
    due: undefined,
    orders: descriptor?.orders ?? new Map(),
    idField: descriptor?.idField,
    read: descriptor?.read ?? readAsStored,
    tombstones: OrderedMap.make(),
    tombstoneOrder: OrderedMap.make(),
    localParts: OrderedMap.make(),
    countByVersion: new Map(),
    erasures: OrderedMap.make(),
    erasedIndex: 0,
    nextTombstoneSequence: 0,
    versionFloor: 0,
    modelVersion: 0,
    isEnded: false,
    changedIndex: 0
  }
}

/** A copy that changes independently: for speculation, a snapshot, or a consistent read. */
export const clone = (tables: Tables): Tables => ({
  ...tables,
  byModel: new Map(Array.from(tables.byModel, ([model, table]) => [model, cloneTable(table)])),
  sessions: tables.sessions.clone(),
  sessionOrder: tables.sessionOrder.clone(),
  keyCounts: tables.keyCounts.clone(),
  assignedKeys: AssignedKeys.clone(tables.assignedKeys),
  datedKeys: DatedKeys.clone(tables.datedKeys),
  hash: StateHash.clone(tables.hash)
})

/** A clone to decide on, which never becomes the applied state: its hash stays what it was. */
export const speculation = (tables: Tables): Tables => ({ ...clone(tables), isHashed: false })

/**
 * The same state for the events of one more entry, to {@link adopt} in place of the tables or to drop. A model's table is
 * copied when an event changes it. Keys are not, since they change with the entry: nothing notes one in a draft.
 */
export const draft = (tables: Tables): Tables => ({
  ...tables,
  byModel: new Map(tables.byModel),
  borrowed: new Set(tables.byModel.keys()),
  isHashed: false
})

/** Makes a draft stand in place of the tables that it was made of, which must not be used any more. */
export const adopt = (draft: Tables): Tables => {
  draft.borrowed.clear()
  return draft
}

/** The table of a model, to change it. */
export const tableToChange = (tables: Tables, model: string): Table => {
  const found = tables.byModel.get(model)
  if (found !== undefined && !tables.borrowed.has(model)) return found
  const own = found === undefined ? makeTable() : cloneTable(found)
  tables.byModel.set(model, own)
  tables.borrowed.delete(model)
  return own
}

/** Leaves all indexes that a restore has not collected values for to its end. */
export const deferIndexes = (tables: Tables): void => {
  for (const table of tables.byModel.values()) IndexBuilding.defer(table)
}

/** Builds the indexes that a restore has left for its end. */
export const buildIndexes = (tables: Tables): void => {
  for (const table of tables.byModel.values()) IndexBuilding.build(table)
}

const cloneTable = (table: Table): Table => ({
  ...settled(table),
  rows: table.rows.clone(),
  indexes: new Map(Array.from(table.indexes, ([field, index]) => [field, index.clone()])),
  tombstones: table.tombstones.clone(),
  tombstoneOrder: table.tombstoneOrder.clone(),
  localParts: table.localParts.clone(),
  erasures: table.erasures.clone(),
  countByVersion: new Map(table.countByVersion)
})

/** Nobody but a restore sees a table whose indexes are due. */
const settled = (table: Table): Table => {
  invariant(table.due === undefined, "a table was copied before its indexes were built")
  return table
}

/** The record under an id, undefined if there is none. */
export const get = (tables: Tables, model: string, id: string): Row | undefined =>
  tables.byModel.get(model)?.rows.get(id)

/** The state hash in hexadecimal: equal on every node at the same index. */
export const stateHash = (tables: Tables): string => StateHash.toHex(tables.hash)

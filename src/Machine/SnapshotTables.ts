/**
 * Puts the pieces of a snapshot into tables. Pure. A node wrote them, and their bytes are verified: of a row nothing is
 * looked at but what this release needs to index it.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import * as DatedKeys from "./DatedKeys.ts"
import * as Format from "./Format.ts"
import * as KeyPage from "./KeyPage.ts"
import * as Limits from "./Limits.ts"
import * as RowBlock from "./RowBlock.ts"
import * as RowPage from "./RowPage.ts"
import * as Rows from "./Rows.ts"
import type { Session } from "./Session.ts"
import * as Sessions from "./Sessions.ts"
import type { Piece } from "./SnapshotPiece.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"
import type { Row, Table } from "./Table.ts"
import * as TableLoading from "./TableLoading.ts"
import * as Tables from "./Tables.ts"

/** The tables restored so far. With `isByFlags` the pieces say where a generation of keys ends. */
export interface Restored {
  readonly tables: Tables.Tables
  /** By model, the rows so far. They come into the tables at the end. */
  readonly loading: Map<string, { readonly rows: TableLoading.TableLoading; readonly pages: RowPage.PageReader }>
  /** The hash in the snapshot, if it is believed. Then no row is counted. */
  readonly writtenHash: ReadonlyArray<number> | undefined
  readonly isByFlags: boolean
  readonly areIndexesDue: boolean
}

/** How tables are restored. */
export interface RestoreOptions {
  /** Whether the hash is counted from what is restored, and not taken from the snapshot. True unless told. */
  readonly isHashCounted?: boolean
  /**
   * Whether the caller builds the indexes (`buildIndexes` of Tables.ts), after it has applied further entries. False
   * unless told.
   */
  readonly areIndexesDue?: boolean
  /** Whether the tables are of a node's own log. */
  readonly isOfNode?: boolean | undefined
}

/** Puts the next piece. `State` begins. */
export const putNext = (
  descriptors: ReadonlyArray<Descriptor>,
  options: RestoreOptions,
  state: Restored | undefined,
  piece: Piece
): Result.Result<Restored, string> => {
  if (piece._tag === "State") {
    return state === undefined
      ? Result.succeed(begin(descriptors, options, piece))
      : Result.fail("Cannot read snapshot: it has two State pieces")
  }
  if (state === undefined) return Result.fail("Cannot read snapshot: its first piece is no State")
  return Result.map(put(state, piece), () => state)
}

/**
 * A restore builds the indexes again, since this release may index other fields. It also counts the hash again, unless
 * told to believe it: the hash must say what these tables hold, by this release's definition, and not what another node
 * believed.
 */
const begin = (
  descriptors: ReadonlyArray<Descriptor>,
  { areIndexesDue = false, isHashCounted = true, isOfNode }: RestoreOptions,
  state: Extract<Piece, { readonly _tag: "State" }>
): Restored => {
  const { assignedKeys: horizon, format = Format.initial, index, lastTimeMs, limits, logAgeMs, restored } = state
  const { horizonFloor = 0, retainedFrom = 0 } = state
  const { horizonIndex } = horizon
  const tables = Tables.make(descriptors, { ...Limits.initial, ...limits }, { isOfNode })
  return {
    tables: {
      ...tables,
      index,
      lastTimeMs,
      logAgeMs,
      format,
      retainedFrom,
      restored,
      chain: state.chain,
      assignedKeys: { ...tables.assignedKeys, horizonIndex },
      datedKeys: DatedKeys.make(horizonFloor),
      hash: StateHash.make()
    },
    loading: new Map(),
    writtenHash: isHashCounted || state.hashDefinition !== StateElements.definition ? undefined : state.hash,
    isByFlags: limits !== undefined,
    areIndexesDue
  }
}

/** Puts the rows into their tables, and counts the elements that are known only after the last piece. */
export const finish = ({ areIndexesDue, loading, tables, writtenHash }: Restored): Tables.Tables => {
  for (const [model, { rows }] of loading) {
    tables.byModel.set(model, TableLoading.end(rows, tables.byModel.get(model)!))
  }
  if (areIndexesDue) Tables.deferIndexes(tables)
  else Tables.buildIndexes(tables)
  Tables.countWhole(tables)
  for (const [model, table] of tables.byModel) {
    if (StateElements.isTableCounted(table)) StateHash.add(tables.hash, StateElements.table(model, table))
  }
  if (writtenHash !== undefined) tables.hash.set(writtenHash)
  return tables
}

const put = (state: Restored, piece: Exclude<Piece, { readonly _tag: "State" }>): Result.Result<void, string> => {
  const { isByFlags, tables } = state
  switch (piece._tag) {
    case "Session": {
      const { outcome, ...held } = piece.session
      const session: Session = { ...held, outcome: outcome === undefined ? undefined : JSON.stringify(outcome) }
      Sessions.put(tables, piece.name, session)
      StateHash.add(tables.hash, StateElements.session(piece.name, session))
      return Result.void
    }
    case "Horizon":
      DatedKeys.setHorizon(tables.datedKeys, piece, tables.hash)
      return Result.void
    case "DatedKeys":
      return KeyPage.hold(tables.datedKeys, piece.page, tables.hash)
    case "AssignedKey": {
      const { assignedKeys, hash, limits } = tables
      if (!isByFlags) AssignedKeys.note(assignedKeys, piece, limits, hash)
      else AssignedKeys.hold(assignedKeys, piece.name, piece.index, hash)
      if (piece.endsGeneration === true) AssignedKeys.endGeneration(assignedKeys, hash)
      return Result.void
    }
    default:
      return putInTable(state, piece)
  }
}

const putInTable = (
  state: Restored,
  piece: Extract<Piece, { readonly model: string }>
): Result.Result<void, string> => {
  const { tables } = state
  const table = tables.byModel.get(piece.model) ?? Tables.makeTable()
  tables.byModel.set(piece.model, table)
  switch (piece._tag) {
    case "Table":
      table.modelVersion = piece.modelVersion
      table.versionFloor = piece.versionFloor
      table.nextTombstoneSequence = piece.nextTombstoneSequence
      table.isEnded = piece.isEnded === true
      table.erasedIndex = piece.erasedIndex ?? 0
      break
    case "Row":
      return putRow(state, table, piece.model, [piece.id, piece.row])
    case "Rows": {
      return putPage(state, table, piece.model, piece.page)
    }
    case "LocalPart":
      Rows.putPart(table, piece.id, piece.part)
      break
    case "Tombstone":
      table.tombstones.set(piece.id, piece.tombstone)
      table.tombstoneOrder.set(piece.tombstone.sequence, piece.id)
      StateHash.add(tables.hash, StateElements.tombstone(piece.model, piece.id, piece.tombstone))
      break
    case "Erasure":
      table.erasures.set(piece.id, piece.index)
      StateHash.add(tables.hash, StateElements.erasure(piece.model, piece.id, piece.index))
      break
  }
  return Result.void
}

const loadingOf = ({ loading }: Restored, table: Table, model: string) => {
  const begun = loading.get(model) ?? { rows: TableLoading.make(table), pages: RowPage.reader() }
  loading.set(model, begun)
  return begun
}

const putRow = (
  state: Restored,
  table: Table,
  model: string,
  [id, row]: readonly [string, Row]
): Result.Result<void, string> => {
  if (state.writtenHash === undefined) StateHash.add(state.tables.hash, StateElements.row(model, id, row))
  return damaged(model, TableLoading.take(loadingOf(state, table, model).rows, table, id, row))
}

const putPage = (state: Restored, table: Table, model: string, page: RowPage.RowPage): Result.Result<void, string> => {
  const { pages, rows: loading } = loadingOf(state, table, model)
  const read = pages.read(page)
  if (state.writtenHash === undefined) {
    for (const [at, id] of page.ids.entries()) {
      StateHash.add(state.tables.hash, StateElements.row(model, id, RowBlock.rowAt(read.block, at)))
    }
  }
  return damaged(model, TableLoading.takePage(loading, table, read))
}

const damaged = (model: string, taken: Result.Result<void, string>): Result.Result<void, string> =>
  Result.mapError(taken, (found) => `Cannot read snapshot: the table ${model} is damaged, ${found}`)

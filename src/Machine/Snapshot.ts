/**
 * Turns applied tables into pieces of JSON, the pieces into bytes, and bytes back into tables. Pure; EventStore has the
 * file. The bytes are one with the format of the tables (Format.ts), then each piece as JSON in UTF-8 and a line feed. Only
 * the tables of a node's own log hold local parts. D3, D4.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import * as Format from "./Format.ts"
import { isRecord } from "./Json.ts"
import * as Limits from "./Limits.ts"
import type { LocalPart } from "./LocalPart.ts"
import type { Restored as RestoredLog } from "./Restored.ts"
import * as RowPage from "./RowPage.ts"
import * as Rows from "./Rows.ts"
import type { Session } from "./Session.ts"
import * as Sessions from "./Sessions.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"
import type { Row, Table, Tombstone } from "./Table.ts"
import * as TableLoading from "./TableLoading.ts"
import * as Tables from "./Tables.ts"

/** One piece of a snapshot. `State` comes first, and each `Table` before its rows and tombstones. */
export type Piece =
  | {
      readonly _tag: "State"
      readonly index: number
      readonly lastTimeMs: number
      readonly logAgeMs: number
      /** Absent in format 1. */
      readonly format?: number
      /** Absent if all history is retained. */
      readonly retainedFrom?: number
      /** Present if a restore or a recovery began the log. */
      readonly restored?: RestoredLog
      /** Absent in a snapshot by a release without limits. */
      readonly limits?: Limits.Limits
      /** The limit that such a release reads here. */
      readonly tombstonesMax: number
      readonly assignedKeys: AssignedKeys.Bounds & { readonly horizonIndex: number }
      /** The hash by the definition of that number (StateElements.ts), 1 if it is absent. A restore counts the hash again. */
      readonly hash: ReadonlyArray<number>
      readonly hashDefinition?: number
    }
  | {
      readonly _tag: "Table"
      readonly model: string
      readonly modelVersion: number
      readonly versionFloor: number
      readonly nextTombstoneSequence: number
      readonly isEnded?: true
    }
  | { readonly _tag: "Row"; readonly model: string; readonly id: string; readonly row: Row }
  | { readonly _tag: "Rows"; readonly model: string; readonly page: RowPage.RowPage }
  | { readonly _tag: "LocalPart"; readonly model: string; readonly id: string; readonly part: LocalPart }
  | { readonly _tag: "Tombstone"; readonly model: string; readonly id: string; readonly tombstone: Tombstone }
  | { readonly _tag: "Session"; readonly name: string; readonly session: Session }
  | {
      readonly _tag: "AssignedKey"
      readonly name: string
      readonly index: number
      /** Present if this key is the last of its generation. */
      readonly endsGeneration?: true
    }

/** The pieces of tables. Pass a clone, since the tables must not change meanwhile. */
export function* take(tables: Tables.Tables): Generator<Piece> {
  const { format, hash, index, lastTimeMs, limits, logAgeMs, restored, retainedFrom } = tables
  const { generationSize, generationsMax, tombstonesMax } = limits
  const isPaged = Format.isFormatActive(tables, Format.paging)
  yield {
    _tag: "State",
    index,
    lastTimeMs,
    logAgeMs,
    ...(format === Format.initial ? {} : { format }),
    ...(retainedFrom === 0 ? {} : { retainedFrom }),
    ...(restored === undefined ? {} : { restored }),
    limits,
    tombstonesMax,
    assignedKeys: { generationSize, generationsMax, horizonIndex: tables.assignedKeys.horizonIndex },
    hash: Array.from(hash),
    hashDefinition: StateElements.definition
  }
  for (const [model, table] of tables.byModel) {
    const { isEnded, modelVersion, nextTombstoneSequence, versionFloor } = table
    const ended = isEnded ? { isEnded } : {}
    yield { _tag: "Table", model, modelVersion, versionFloor, nextTombstoneSequence, ...ended }
    if (isPaged) for (const page of RowPage.pagesOf(table.rows.entries())) yield { _tag: "Rows", model, page }
    else for (const [id, row] of table.rows.entries()) yield { _tag: "Row", model, id, row }
    for (const [id, part] of table.localParts.entries()) yield { _tag: "LocalPart", model, id, part }
    for (const [id, tombstone] of table.tombstones.entries()) yield { _tag: "Tombstone", model, id, tombstone }
  }
  for (const [name, session] of tables.sessions.entries()) yield { _tag: "Session", name, session }
  for (const { endsGeneration, index, name } of AssignedKeys.entries(tables.assignedKeys)) {
    yield { _tag: "AssignedKey", name, index, ...(endsGeneration ? { endsGeneration } : {}) }
  }
}

const lineFeed = 10
/** Roughly the characters that are encoded at once. Other work of the node waits for that long. */
const encodedBytes = 16 * 1024

/** Encodes pieces, some KiB at a time, each when the caller asks for it. */
export function* encode(pieces: Iterable<Piece>): Generator<Uint8Array> {
  const encoder = new TextEncoder()
  let lines = ""
  for (const piece of pieces) {
    if (piece._tag === "State") yield Uint8Array.of(piece.format ?? Format.initial)
    lines += `${JSON.stringify(piece)}\n`
    if (lines.length < encodedBytes) continue
    yield encoder.encode(lines)
    lines = ""
  }
  if (lines !== "") yield encoder.encode(lines)
}

/** Restores tables from bytes: {@link take} takes them in order, cut anywhere, and {@link end} returns the tables. */
export interface Restoring {
  readonly take: (bytes: Uint8Array) => void
  /** Fails with what is wrong, if this version cannot read the bytes as a snapshot: a newer one may have written them. */
  readonly end: () => Result.Result<Tables.Tables, string>
}

/** Restores tables piece by piece, so that the whole snapshot is never in memory. */
export const restoring = (
  descriptors: ReadonlyArray<Descriptor>,
  options: {
    readonly newestFormat?: number | undefined
    /** Whether the hash is counted from what is restored, and not taken from the snapshot. True unless told. */
    readonly isHashCounted?: boolean
  } = {}
): Restoring => {
  const { isHashCounted = true, newestFormat = Format.newest } = options
  let restored: Result.Result<Restored | undefined, string> = Result.succeed(undefined)
  let format: number | undefined
  /** The beginning of the line whose end has not come yet. */
  let begun: Array<Uint8Array> = []
  const takeLine = (end: Uint8Array) => {
    const line = begun.length === 0 ? end : Buffer.concat([...begun, end])
    begun = []
    restored = Result.flatMap(restored, (state) =>
      Result.flatMap(decodePiece(line), (piece) => putNext(descriptors, isHashCounted, state, piece))
    )
  }
  return {
    take: (bytes) => {
      let at = 0
      if (format === undefined && bytes.length > 0) {
        format = bytes[0]
        Format.checkKnown("A snapshot", format, newestFormat)
        if (format === 0) restored = Result.fail("Cannot read snapshot: it is of no format")
        at = 1
      }
      while (Result.isSuccess(restored) && at < bytes.length) {
        const end = bytes.indexOf(lineFeed, at)
        // A copy: the caller may use the buffer again. `slice` of a `Buffer` would be a view.
        if (end < 0) begun.push(new Uint8Array(bytes.subarray(at)))
        else takeLine(bytes.subarray(at, end))
        at = end < 0 ? bytes.length : end + 1
      }
    },
    end: () =>
      Result.flatMap(restored, (state) =>
        state === undefined || begun.length > 0
          ? Result.fail("Cannot read snapshot: it ends too early")
          : Result.succeed(finish(state))
      )
  }
}

const decodePiece = (line: Uint8Array): Result.Result<Piece, string> =>
  Result.flatMap(
    Result.try({
      try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line)),
      catch: () => "Cannot read snapshot: not JSON in UTF-8"
    }),
    (json) =>
      isPiece(json)
        ? Result.succeed(json)
        : Result.fail("Cannot read snapshot: this release does not know a piece of it")
  )

const tags: ReadonlyArray<unknown> = [
  "State",
  "Table",
  "Row",
  "Rows",
  "LocalPart",
  "Tombstone",
  "Session",
  "AssignedKey"
] satisfies Array<Piece["_tag"]>

/** Looks at the tag alone: the bytes are verified, a node wrote them, and only a newer release writes other pieces. */
const isPiece = (json: unknown): json is Piece => isRecord(json) && tags.includes(json._tag)

/** The tables restored so far. With `isByFlags` the pieces say where a generation of keys ends. */
interface Restored {
  readonly tables: Tables.Tables
  /** By model, the rows so far. They come into the tables at the end. */
  readonly loading: Map<string, { readonly rows: TableLoading.TableLoading; readonly pages: RowPage.PageReader }>
  /** The hash in the snapshot, if it is believed. Then no row is counted. */
  readonly writtenHash: ReadonlyArray<number> | undefined
  readonly isByFlags: boolean
}

const putNext = (
  descriptors: ReadonlyArray<Descriptor>,
  isHashCounted: boolean,
  state: Restored | undefined,
  piece: Piece
): Result.Result<Restored, string> => {
  if (piece._tag === "State") {
    return state === undefined
      ? Result.succeed(begin(descriptors, isHashCounted, piece))
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
  isHashCounted: boolean,
  state: Extract<Piece, { readonly _tag: "State" }>
): Restored => {
  const { assignedKeys: horizon, format = Format.initial, index, lastTimeMs, limits, logAgeMs, restored } = state
  const { retainedFrom = 0 } = state
  const { horizonIndex } = horizon
  const tables = Tables.make(descriptors, { ...Limits.initial, ...limits })
  return {
    tables: {
      ...tables,
      index,
      lastTimeMs,
      logAgeMs,
      format,
      retainedFrom,
      restored,
      assignedKeys: { ...tables.assignedKeys, horizonIndex },
      hash: StateHash.make()
    },
    loading: new Map(),
    writtenHash: isHashCounted || state.hashDefinition !== StateElements.definition ? undefined : state.hash,
    isByFlags: limits !== undefined
  }
}

/** Puts the rows into their tables, and counts the elements that are known only after the last piece. */
const finish = ({ loading, tables, writtenHash }: Restored): Tables.Tables => {
  for (const [model, { rows }] of loading) {
    tables.byModel.set(model, TableLoading.end(rows, tables.byModel.get(model)!))
  }
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
    case "Session":
      Sessions.put(tables, piece.name, piece.session)
      StateHash.add(tables.hash, StateElements.session(piece.name, piece.session))
      return Result.void
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
      break
    case "Row":
      return putRow(state, table, piece.model, [piece.id, piece.row])
    case "Rows": {
      const { pages } = loadingOf(state, table, piece.model)
      for (const entry of pages.rowsOf(piece.page)) {
        const taken = putRow(state, table, piece.model, entry)
        if (Result.isFailure(taken)) return taken
      }
      return Result.void
    }
    case "LocalPart":
      Rows.putPart(table, piece.id, piece.part)
      break
    case "Tombstone":
      table.tombstones.set(piece.id, piece.tombstone)
      table.tombstoneOrder.set(piece.tombstone.sequence, piece.id)
      StateHash.add(tables.hash, StateElements.tombstone(piece.model, piece.id, piece.tombstone))
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
  return Result.mapError(
    TableLoading.take(loadingOf(state, table, model).rows, table, id, row),
    (found) => `Cannot read snapshot: the table ${model} is damaged, ${found}`
  )
}

/**
 * Turns applied tables into pieces of JSON, the pieces into bytes, and bytes back into tables. Pure; EventStore has the
 * file. The bytes are one with the format of the tables (Format.ts), then each piece as JSON in UTF-8 and a line feed. Only
 * the tables of a node's own log hold local parts. D3, D4.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import * as DatedKeys from "./DatedKeys.ts"
import * as Format from "./Format.ts"
import { isRecord } from "./Json.ts"
import * as KeyPage from "./KeyPage.ts"
import * as RowPage from "./RowPage.ts"
import type { Session } from "./Session.ts"
import type { Piece, WrittenSession } from "./SnapshotPiece.ts"
import * as SnapshotTables from "./SnapshotTables.ts"
import * as StateElements from "./StateElements.ts"
import * as Tables from "./Tables.ts"

export type { Piece } from "./SnapshotPiece.ts"

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
    ...(tables.chain === undefined ? {} : { chain: tables.chain }),
    limits,
    tombstonesMax,
    assignedKeys: { generationSize, generationsMax, horizonIndex: tables.assignedKeys.horizonIndex },
    ...(tables.datedKeys.floorIndex === 0 ? {} : { horizonFloor: tables.datedKeys.floorIndex }),
    hash: Array.from(hash),
    hashDefinition: StateElements.definition
  }
  for (const [model, table] of tables.byModel) {
    const { erasedIndex, isEnded, modelVersion, nextTombstoneSequence, versionFloor } = table
    const ended = isEnded ? { isEnded } : {}
    const erased = erasedIndex > 0 ? { erasedIndex } : {}
    yield { _tag: "Table", model, modelVersion, versionFloor, nextTombstoneSequence, ...ended, ...erased }
    if (isPaged) for (const page of RowPage.pagesOf(table.rows.entries())) yield { _tag: "Rows", model, page }
    else for (const [id, row] of table.rows.entries()) yield { _tag: "Row", model, id, row }
    for (const [id, part] of table.localParts.entries()) yield { _tag: "LocalPart", model, id, part }
    for (const [id, tombstone] of table.tombstones.entries()) yield { _tag: "Tombstone", model, id, tombstone }
    for (const [id, index] of table.erasures.entries()) yield { _tag: "Erasure", model, id, index }
  }
  for (const [name, session] of tables.sessions.entries()) yield { _tag: "Session", name, session: written(session) }
  for (const { endsGeneration, index, name } of AssignedKeys.entries(tables.assignedKeys)) {
    yield { _tag: "AssignedKey", name, index, ...(endsGeneration ? { endsGeneration } : {}) }
  }
  for (const horizon of DatedKeys.horizons(tables.datedKeys)) yield { _tag: "Horizon", ...horizon }
  for (const page of KeyPage.pagesOf(tables.datedKeys)) yield { _tag: "DatedKeys", page }
}

const written = ({ outcome, ...session }: Session): WrittenSession =>
  outcome === undefined ? session : { ...session, outcome: JSON.parse(outcome) }

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

/** The snapshot of tables as they are now: it does not change with them. Releases that know its format read it compressed. */
export const contentOf = (
  tables: Tables.Tables
): { readonly content: Iterable<Uint8Array>; readonly isCompressed: boolean } => ({
  content: encode(take(Tables.clone(tables))),
  isCompressed: Format.isFormatActive(tables, Format.compressing)
})

/** Restores tables from bytes: {@link take} takes them in order, cut anywhere, and {@link end} returns the tables. */
export interface Restoring {
  readonly take: (bytes: Uint8Array) => void
  /** Fails with what is wrong, if this version cannot read the bytes as a snapshot: a newer one may have written them. */
  readonly end: () => Result.Result<Tables.Tables, string>
}

/** Restores tables piece by piece, so that the whole snapshot is never in memory. */
export const restoring = (
  descriptors: ReadonlyArray<Descriptor>,
  options: SnapshotTables.RestoreOptions & { readonly newestFormat?: number | undefined } = {}
): Restoring => {
  const { newestFormat = Format.newest } = options
  let restored: Result.Result<SnapshotTables.Restored | undefined, string> = Result.succeed(undefined)
  let format: number | undefined
  /** The beginning of the line whose end has not come yet. */
  let begun: Array<Uint8Array> = []
  const takeLine = (end: Uint8Array) => {
    const line = begun.length === 0 ? end : Buffer.concat([...begun, end])
    begun = []
    restored = Result.flatMap(restored, (state) =>
      Result.flatMap(decodePiece(line), (piece) => SnapshotTables.putNext(descriptors, options, state, piece))
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
          : Result.succeed(SnapshotTables.finish(state))
      )
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const decodePiece = (line: Uint8Array): Result.Result<Piece, string> =>
  Result.flatMap(
    Result.try({
      try: (): unknown => JSON.parse(utf8.decode(line)),
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
  "Erasure",
  "Session",
  "AssignedKey",
  "Horizon",
  "DatedKeys"
] satisfies Array<Piece["_tag"]>

/** Looks at the tag alone: the bytes are verified, a node wrote them, and only a newer release writes other pieces. */
const isPiece = (json: unknown): json is Piece => isRecord(json) && tags.includes(json._tag)

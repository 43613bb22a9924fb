/** Applied tables as a sequence of JSON values, and back. Pure; not the file (EventStore), and without local parts. DESIGN D3. */
import type { Descriptor } from "../Model.ts"
import type { Session } from "./Sessions.ts"
import * as Tables from "./Tables.ts"
import * as UniqueIndex from "./UniqueIndex.ts"

/** One piece of a snapshot. `State` comes first, and each `Table` before its rows and tombstones. */
export type Piece =
  | {
      readonly _tag: "State"
      readonly index: number
      readonly lastTimeMs: number
      readonly tombstonesMax: number
      readonly hash: ReadonlyArray<number>
    }
  | {
      readonly _tag: "Table"
      readonly model: string
      readonly modelVersion: number
      readonly versionFloor: number
      readonly nextTombstoneSequence: number
    }
  | { readonly _tag: "Row"; readonly model: string; readonly id: string; readonly row: Tables.Row }
  | { readonly _tag: "Tombstone"; readonly model: string; readonly id: string; readonly tombstone: Tables.Tombstone }
  | { readonly _tag: "Session"; readonly key: string; readonly session: Session }

/** The pieces of tables that do not change meanwhile: of a clone. */
export function* take(tables: Tables.Tables): Generator<Piece> {
  const { index, lastTimeMs, tombstonesMax } = tables
  yield { _tag: "State", index, lastTimeMs, tombstonesMax, hash: Array.from(tables.hash) }
  for (const [model, table] of tables.byModel) {
    const { modelVersion, nextTombstoneSequence, versionFloor } = table
    yield { _tag: "Table", model, modelVersion, versionFloor, nextTombstoneSequence }
    for (const [id, row] of table.rows.entries()) yield { _tag: "Row", model, id, row }
    for (const [id, tombstone] of table.tombstones.entries()) yield { _tag: "Tombstone", model, id, tombstone }
  }
  for (const [key, session] of tables.sessions.entries()) yield { _tag: "Session", key, session }
}

/** The tables that the pieces are of. Unique indexes are built anew, since the code that says what is unique may differ. */
export const restore = (descriptors: ReadonlyArray<Descriptor>, pieces: Iterable<Piece>): Tables.Tables => {
  let tables = Tables.make(descriptors)
  for (const piece of pieces) {
    if (piece._tag === "State") {
      const { hash, index, lastTimeMs, tombstonesMax } = piece
      tables = { ...tables, index, lastTimeMs, tombstonesMax, hash: Uint32Array.from(hash) }
    } else put(tables, piece)
  }
  return tables
}

const put = (tables: Tables.Tables, piece: Exclude<Piece, { readonly _tag: "State" }>): void => {
  if (piece._tag === "Session") {
    tables.sessions.set(piece.key, piece.session)
    tables.sessionOrder.set(piece.session.index, piece.key)
    return
  }
  const table = tables.byModel.get(piece.model) ?? Tables.makeTable([])
  tables.byModel.set(piece.model, table)
  switch (piece._tag) {
    case "Table":
      table.modelVersion = piece.modelVersion
      table.versionFloor = piece.versionFloor
      table.nextTombstoneSequence = piece.nextTombstoneSequence
      break
    case "Row":
      table.rows.set(piece.id, piece.row)
      UniqueIndex.insert(table, piece.id, piece.row.data)
      break
    case "Tombstone":
      table.tombstones.set(piece.id, piece.tombstone)
      table.tombstoneOrder.set(piece.tombstone.sequence, piece.id)
      break
  }
}

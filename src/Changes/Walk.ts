/**
 * What a new view changes for a reader, by the records of one state. Pure. A walk tells page by page: first the records that
 * have left the reader's sight, then those that have come into it.
 */
import type { Tables } from "../Machine/Tables.ts"
import type { Left } from "./Change.ts"
import { type FirstRecord, pageOf } from "./FirstState.ts"
import { stepMaxCount } from "./Log.ts"
import type { Position } from "./Position.ts"
import { seen, shows, type View } from "./View.ts"

/** How far a walk is. */
export interface Walk {
  readonly what: "left" | "entered"
  /** The place of the model among the names of all, in order. */
  readonly model: number
  readonly afterId: string | undefined
}

/** Before the first page. */
export const beginning: Walk = { what: "left", model: 0, afterId: undefined }

/** The views before and after, and what the reader may read now: that may have changed again. */
export interface Views {
  readonly from: View
  readonly to: View
  readonly now: View
}

/** The state that is walked. */
export interface Walked {
  readonly tables: Tables
  readonly index: number
  /** The reader has all that its former view showed at this entry. */
  readonly sinceIndex: number
  /** The position of what is told. */
  readonly position: Position
}

/** One page, and where the next one begins; undefined at the end. */
export interface Page {
  readonly told: ReadonlyArray<Left | FirstRecord>
  readonly walk: Walk | undefined
}

/** Tells one page, perhaps an empty one. `Hidden`: the reader may not read a record now that its new view shows. */
export const page = (
  { from, now, to }: Views,
  { index, position, sinceIndex, tables }: Walked,
  walk: Walk
): Page | "Hidden" => {
  const name = [...from.models.keys()].sort()[walk.model]
  if (name === undefined)
    return { told: [], walk: walk.what === "left" ? { ...beginning, what: "entered" } : undefined }
  const of = (walk.what === "left" ? from : to).models.get(name)
  const asked = { reach: of?.reach ?? [], afterId: walk.afterId, limit: stepMaxCount }
  const rows = of?.reach === undefined ? [] : pageOf(tables, of.descriptor, asked)
  const told: Array<Left | FirstRecord> = []
  for (const { id, record, row } of rows) {
    const named = { model: name, id, record }
    if (walk.what === "left") {
      const hasLeft = row.index <= sinceIndex && !shows(to, named)
      if (hasLeft) told.push({ _tag: "Left", position, index, model: name, id })
      continue
    }
    if (shows(from, named)) continue
    if (!shows(now, named)) return "Hidden"
    const { index: changedIndex, version } = row
    told.push({ _tag: "Record", position, changedIndex, model: name, id, version, record: seen(to, name, record) })
  }
  const last = rows.length < stepMaxCount ? undefined : rows.at(-1)
  const next = last === undefined ? { model: walk.model + 1, afterId: undefined } : { afterId: last.id }
  return { told, walk: { ...walk, ...next } }
}

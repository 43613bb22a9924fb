/**
 * One query that stays open: its window, the page that it shows, and the readers who share it. The engine says when to list
 * it, and which records to take. Pure, but for the query, which its engine owns and changes.
 */
import { Result } from "effect"
import { type KeyedFilter, keyedAll } from "../Machine/Filter.ts"
import { list } from "../Machine/List.ts"
import type { ListedRow, ListSource, UnreadableRow } from "../Machine/ListedRows.ts"
import * as ListedRows from "../Machine/ListedRows.ts"
import { type Branches, joined } from "../Machine/Restriction.ts"
import { askedBytes, pageMaxBytes, shownBytes } from "./Bounds.ts"
import type { LiveEnd } from "./LiveEnd.ts"
import { type Bucket, bucketsOf, identityOf, type LiveRequest } from "./LiveRequest.ts"
import { isSame, type Page, pageOf, type Shown, type Update, updateOf } from "./Update.ts"
import * as Window from "./Window.ts"

/** A query with its readers. */
export interface Query {
  readonly request: LiveRequest
  readonly identity: string
  /** A record of the list meets all of the filters, and one of the branches if there are any. */
  readonly filters: ReadonlyArray<KeyedFilter>
  readonly branches: Branches | undefined
  readonly buckets: ReadonlyArray<Bucket>
  readonly window: Window.Window
  /** Tells each reader that the page has changed, or has ended. */
  readonly readers: Set<() => void>
  page: Page
  /** The page before this one, and the update from it once a reader has asked: most readers need that one. */
  before: Shown | undefined
  update: Update | undefined
  end: LiveEnd | undefined
  /** When the query was last listed, in listings and evaluations of its engine. */
  listedAt: number
}

const noPage: Page = { index: 0, items: [], stamps: [], lastKey: undefined }

/** A query that is not listed yet. */
export const make = (request: LiveRequest, source: ListSource): Query => {
  const restricted = joined({ ...source, reach: request.reach }, keyedAll(source.table.orders, request.filters))
  return {
    request,
    identity: identityOf(request),
    ...restricted,
    buckets: bucketsOf(source.idField, restricted),
    window: Window.make(request.orderBy, request.limit),
    readers: new Set(),
    page: noPage,
    before: undefined,
    update: undefined,
    end: undefined,
    listedAt: 0
  }
}

/** The memory of one reader: what it asked for, and what it has. */
export const readerBytes = ({ identity, request }: Query): number =>
  askedBytes * identity.length + shownBytes * request.limit

/** Fills the window from the tables. Returns the records that came and went, or a row that cannot be read. */
export const fill = ({ request, window }: Query, source: ListSource): Result.Result<Window.Moves, UnreadableRow> => {
  const { after, filters, limit, orderBy, reach, select } = request
  const found = list(
    { ...source, reach },
    { filters, orderBy, limit: Window.capacityOf(limit), after, countsTotal: false }
  )
  return Result.map(found, ({ keys, lastKey, rows }) => {
    const matches = rows.map((row, at) => ({ id: row.id, ...matchOf(row, keys[at]!), text: textOf(row, select) }))
    return Window.fill(window, matches, lastKey)
  })
}

/** Takes one record as it is now, undefined if there is none. Returns undefined if nothing in the window changes. */
export const take = (
  { branches, filters, request, window }: Query,
  source: ListSource,
  { id, row, text }: { readonly id: string; readonly row: ListedRow | undefined; readonly text: Text }
): Window.Moves | undefined => {
  const { after, orderBy, select } = request
  const isMet =
    row !== undefined && ListedRows.meetsAll(source, filters, row) && ListedRows.meetsOne(source, branches, row)
  const key = isMet ? ListedRows.keyOf(source, orderBy, row) : undefined
  const isBehind = key !== undefined && (after === undefined || Window.compare(window, key, after) > 0)
  return Window.take(window, id, isBehind ? { ...matchOf(row!, key), text: () => text(row!, select) } : undefined)
}

const matchOf = (row: ListedRow, key: Window.Match["key"]) => ({ version: row.row.version, key })

const textOf = (row: ListedRow, select: LiveRequest["select"]) => () =>
  JSON.stringify(ListedRows.selected(row.record, select))

/** Writes a record as JSON. */
export type Text = (row: ListedRow, select: LiveRequest["select"]) => string

/** Writes one record, once for all queries that show all of it. */
export const sharedText = (): Text => {
  let whole: string | undefined
  return (row, select) => {
    if (select !== undefined) return textOf(row, select)()
    whole ??= JSON.stringify(row.record)
    return whole
  }
}

/** Shows the window as the page of this index. Returns whether the page is another one, or that it is too large. */
export const turn = (query: Query, index: number): "same" | "changed" | "tooLarge" => {
  const { window } = query
  const page = pageOf(window, index)
  // The bytes of a window are more than those of its texts.
  if (window.bytes > pageMaxBytes && page.items.reduce((sum, { text }) => sum + text.length, 0) > pageMaxBytes) {
    return "tooLarge"
  }
  if (isSame(query.page, page)) {
    // Readers keep the page that they have, and the next update starts from it.
    query.page = { ...page, stamps: query.page.stamps }
    return "same"
  }
  query.before = query.page
  query.update = undefined
  query.page = page
  return "changed"
}

/** Gives what a reader lacks that has this page, undefined if it has none; undefined if it lacks nothing. */
export const lacking = (query: Query, has: Shown | undefined): Update | undefined => {
  const { before, page } = query
  if (has === undefined) return updateOf(page, undefined)
  if (has.stamps === page.stamps || isSame(has, page)) return undefined
  if (has.stamps !== before?.stamps) return updateOf(page, has)
  query.update ??= updateOf(page, before)
  return query.update
}

/** The page without its records, so that a slow reader keeps none of them. */
export const shownOf = ({ page: { index, lastKey, stamps } }: Query): Shown => ({ index, stamps, lastKey })

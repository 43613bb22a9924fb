/** One page of a list as JSON, cut where it grows too large: a thousand records of a megabyte are no answer. Pure. */
import type { ListPage } from "../Machine/List.ts"
import type { OrderValue } from "../Machine/Order.ts"
import type { EncodedRecord } from "../Model/Descriptor.ts"
import type { ListQuery } from "./ListQuery.ts"

/** A page ends with the record that passes this, however many were asked for; `next` goes on behind it. */
export const pageBytesMax = 8 * 1024 * 1024

/** The records of a page, encoded, and the order key of its last one where another page follows. */
export interface EncodedPage {
  readonly items: ReadonlyArray<string>
  readonly lastKey: ReadonlyArray<OrderValue> | undefined
}

/** Encodes the rows of a page until it is full. Lengths are of code units: a page of other scripts is up to three times as large. */
export const encodePage = (
  page: ListPage,
  query: Pick<ListQuery, "select">,
  options: { readonly bytesMax?: number } = {}
): EncodedPage => {
  const bytesMax = options.bytesMax ?? pageBytesMax
  const items: Array<string> = []
  let bytes = 0
  for (const [at, listed] of page.rows.entries()) {
    const item = JSON.stringify(query.select === undefined ? listed.record : pick(listed.record, query.select))
    items.push(item)
    bytes += item.length
    const isLast = at === page.rows.length - 1
    if (bytes > bytesMax && !isLast) return { items, lastKey: page.keys[at] }
  }
  return { items, lastKey: page.lastKey }
}

/** The body of the answer: what `JSON.stringify` would make of it, without encoding any record twice. */
export const bodyOf = (items: ReadonlyArray<string>, next: string | null, total: number | undefined): string =>
  `{"items":[${items.join(",")}],"next":${JSON.stringify(next)}${total === undefined ? "" : `,"total":${total}`}}`

const pick = (record: EncodedRecord, fields: ReadonlyArray<string>): EncodedRecord =>
  Object.fromEntries(Object.entries(record).filter(([field]) => fields.includes(field)))

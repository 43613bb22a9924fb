/** Encodes one page of a list as JSON, and cuts it when it grows too large: a thousand records may have a megabyte each. Pure. */
import type { ListPage } from "../Machine/List.ts"
import { selected } from "../Machine/ListedRows.ts"
import type { OrderValue } from "../Machine/Order.ts"
import type { ListQuery } from "./ListQuery.ts"

/** A page ends with the record that exceeds this size, and `next` continues after it. */
export const pageBytesMax = 8 * 1024 * 1024

/** The encoded records of a page, and the order key of the last one if another page follows. */
export interface EncodedPage {
  readonly items: ReadonlyArray<string>
  /** The version of each record; undefined if the query does not ask for them. */
  readonly versions?: ReadonlyArray<number> | undefined
  readonly lastKey: ReadonlyArray<OrderValue> | undefined
}

/** Encodes rows until the page is full. Counts code units: in other scripts a page can be three times as large. */
export const encodePage = (
  page: ListPage,
  query: Pick<ListQuery, "select" | "showsVersions">,
  options: { readonly bytesMax?: number } = {}
): EncodedPage => {
  const bytesMax = options.bytesMax ?? pageBytesMax
  const items: Array<string> = []
  const versions = (count: number) =>
    query.showsVersions ? page.rows.slice(0, count).map(({ row }) => row.version) : undefined
  let bytes = 0
  for (const [at, listed] of page.rows.entries()) {
    const item = JSON.stringify(selected(listed.record, query.select))
    items.push(item)
    bytes += item.length
    const isLast = at === page.rows.length - 1
    if (bytes > bytesMax && !isLast) return { items, versions: versions(at + 1), lastKey: page.keys[at] }
  }
  return { items, versions: versions(page.rows.length), lastKey: page.lastKey }
}

/** Makes the body of the answer, as `JSON.stringify` would, without encoding a record twice. */
export const bodyOf = (
  { items, versions }: Pick<EncodedPage, "items" | "versions">,
  next: string | null,
  total: number | undefined
): string => {
  const shown = versions === undefined ? "" : `"versions":${JSON.stringify(versions)},`
  return `{"items":[${items.join(",")}],${shown}"next":${JSON.stringify(next)}${total === undefined ? "" : `,"total":${total}`}}`
}

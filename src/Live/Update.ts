/** What a reader of a live query gets: a page first, then differences between what it has and the page now. Pure. */
import type { OrderValue } from "../Machine/Order.ts"
import type { Item, Stamp, Window } from "./Window.ts"

/** The page of a live query at one index of the log, as far as a reader must be known to have it. It never changes. */
export interface Shown {
  /** The index of the replicated log that it reflects. */
  readonly index: number
  readonly stamps: ReadonlyArray<Stamp>
  /** The key after which the next page starts; undefined if no record follows. */
  readonly lastKey: ReadonlyArray<OrderValue> | undefined
}

/** The page with its records. */
export interface Page extends Shown {
  readonly items: ReadonlyArray<Item>
}

/** A record that came into the page or changed, and where it stands: after this id, or first. */
export interface Put {
  readonly item: Item
  readonly after: string | null
}

/** The next message to a reader. */
export type Update =
  | {
      readonly _tag: "Page"
      readonly index: number
      readonly items: ReadonlyArray<Item>
      readonly lastKey: Shown["lastKey"]
    }
  | {
      readonly _tag: "Diff"
      readonly index: number
      readonly put: ReadonlyArray<Put>
      readonly remove: ReadonlyArray<string>
      readonly lastKey: Shown["lastKey"]
    }

/** The page that a window shows at this index. */
export const pageOf = (window: Window, index: number): Page => {
  const items = window.items.slice(0, window.limit)
  return {
    index,
    items,
    stamps: items.map(({ stamp }) => stamp),
    lastKey: window.items.length > window.limit ? items[items.length - 1]?.key : undefined
  }
}

/** Whether two pages show the same. */
export const isSame = (left: Shown, right: Shown): boolean =>
  left.stamps.length === right.stamps.length &&
  left.stamps.every((stamp, at) => stamp === right.stamps[at]) &&
  (left.lastKey === undefined) === (right.lastKey === undefined)

/**
 * The whole page, or how it differs from the page that the reader has. A reader that removes the ids in `remove` and in
 * `put`, and then inserts the records of `put` in order, each behind its `after`, has the page: records that did not
 * change keep their order among each other.
 */
export const updateOf = ({ index, items, lastKey, stamps }: Page, has: Shown | undefined): Update => {
  if (has === undefined) return { _tag: "Page", index, items, lastKey }
  const known = new Set(has.stamps)
  const ids = new Set(stamps.map(({ id }) => id))
  return {
    _tag: "Diff",
    index,
    put: items.flatMap((item, at) => (known.has(item.stamp) ? [] : [{ item, after: stamps[at - 1]?.id ?? null }])),
    remove: has.stamps.flatMap(({ id }) => (ids.has(id) ? [] : [id])),
    lastKey
  }
}

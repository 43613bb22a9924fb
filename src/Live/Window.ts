/**
 * The first records of a live query, and a half more: while records go, those behind move up, and only when they are
 * used up the query must be listed again. Pure, but for the window, which it owns and changes.
 */

import type { OrderBy, OrderValue } from "../Machine/Order.ts"
import * as Order from "../Machine/Order.ts"
import { rowBytes } from "./Bounds.ts"

/** One state of a record, as readers are told of it. The same stamp is the same state. */
export interface Stamp {
  readonly id: string
  readonly version: number
}

/** A record in a window: its place in the order, and the JSON that readers get. */
export interface Item {
  readonly stamp: Stamp
  readonly key: ReadonlyArray<OrderValue>
  readonly text: string
}

/** A record as it is now, if it meets the filters. */
export interface Match {
  readonly version: number
  readonly key: ReadonlyArray<OrderValue>
  /** The JSON of the record. It is asked for only if the record is in the window. */
  readonly text: () => string
}

/** A window of a list. */
export interface Window {
  readonly orderBy: ReadonlyArray<OrderBy>
  /** How many records a reader sees. */
  readonly limit: number
  /** The first matches, in order, without a gap. */
  readonly items: Array<Item>
  readonly byId: Map<string, Item>
  /** No match outside comes at or before this key. Undefined if all matches are inside. */
  bound: ReadonlyArray<OrderValue> | undefined
  /** The memory that the items take. */
  bytes: number
}

/** How many records a window of this limit has at most. */
export const capacityOf = (limit: number): number => limit + Math.max(1, Math.ceil(limit / 2))

/** A window without records, which must be listed. */
export const make = (orderBy: ReadonlyArray<OrderBy>, limit: number): Window => ({
  orderBy,
  limit,
  items: [],
  byId: new Map(),
  bound: [],
  bytes: 0
})

/** Whether the window cannot tell its page any more, or whether another page follows. */
export const mustList = ({ bound, items, limit }: Window): boolean => bound !== undefined && items.length <= limit

/**
 * Takes what a list of {@link capacityOf} found, in place of all before. States that readers know keep their stamps.
 * Returns the ids that came and went.
 */
export const fill = (
  window: Window,
  found: ReadonlyArray<Match & { readonly id: string }>,
  bound: Window["bound"]
): Moves => {
  const before = new Map(window.byId)
  window.items.length = 0
  window.byId.clear()
  window.bytes = 0
  for (const { id, ...match } of found) insert(window, window.items.length, itemOf(id, match, before.get(id)))
  window.bound = bound
  return {
    came: found.flatMap(({ id }) => (before.has(id) ? [] : [id])),
    gone: [...before.keys()].filter((id) => !window.byId.has(id))
  }
}

/** The ids that a window holds from now on, and those that it does not hold any more. */
export interface Moves {
  readonly came: ReadonlyArray<string>
  readonly gone: ReadonlyArray<string>
}

const unmoved: Moves = { came: [], gone: [] }

/** Takes the present state of a record: a match, or none. Returns undefined if nothing in the window changes. */
export const take = (window: Window, id: string, match: Match | undefined): Moves | undefined => {
  const held = window.byId.get(id)
  const isInside = match !== undefined && (window.bound === undefined || compare(window, match.key, window.bound) <= 0)
  if (held === undefined && !isInside) return undefined
  const item = match !== undefined && isInside ? itemOf(id, match, held) : undefined
  if (item !== undefined && item === held) return undefined
  if (held !== undefined) remove(window, held)
  if (item === undefined) return { came: [], gone: [id] }
  insert(window, placeOf(window, item.key), item)
  const last = window.items.length > capacityOf(window.limit) ? window.items[window.items.length - 1] : undefined
  if (last === undefined) return held === undefined ? { came: [id], gone: [] } : unmoved
  remove(window, last)
  window.bound = window.items[window.items.length - 1]?.key
  return {
    came: held === undefined && last !== item ? [id] : [],
    gone: last === item ? (held === undefined ? [] : [id]) : [last.stamp.id]
  }
}

/** The held item, if it is the same state. */
const itemOf = (id: string, { key, text, version }: Match, held: Item | undefined): Item => {
  const json = text()
  if (held?.stamp.version !== version || held.text !== json) return { stamp: { id, version }, key, text: json }
  return isSame(held.key, key) ? held : { stamp: { id, version }, key, text: json }
}

const isSame = (left: ReadonlyArray<OrderValue>, right: ReadonlyArray<OrderValue>): boolean =>
  left.every((value, at) => Object.is(value, right[at]))

const insert = (window: Window, at: number, item: Item): void => {
  window.items.splice(at, 0, item)
  window.byId.set(item.stamp.id, item)
  window.bytes += bytesOf(item)
}

const remove = (window: Window, item: Item): void => {
  window.items.splice(placeOf(window, item.key), 1)
  window.byId.delete(item.stamp.id)
  window.bytes -= bytesOf(item)
}

const bytesOf = ({ text }: Item): number => rowBytes + text.length

/** Compares two keys in the order of a window. */
export const compare = (
  { orderBy }: Window,
  left: ReadonlyArray<OrderValue>,
  right: ReadonlyArray<OrderValue>
): number => Order.compareSteps(orderBy, left, right)

/** The place of a key: that of the item which has it, or where it belongs. The id makes each key unique. */
const placeOf = (window: Window, key: ReadonlyArray<OrderValue>): number => {
  let low = 0
  let high = window.items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(window, window.items[middle]!.key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The live queries of one model, and which of them a record can concern: those that hold it, those of a bucket that it
 * falls in, and those without a bucket. Pure, but for the maps, which it owns and changes.
 */
import type { ListedRow, ListSource } from "../Machine/ListedRows.ts"
import { keyOf } from "../Machine/ListedRows.ts"
import type { OrderBy, OrderValue } from "../Machine/Order.ts"
import type { Bucket } from "./LiveRequest.ts"
import type { Moves } from "./Window.ts"

/** The queries of one model. */
export interface Concerned<Query> {
  /** By id of a record: the queries whose window holds it. */
  readonly holders: Map<string, Set<Query>>
  /** By field, then by value. */
  readonly buckets: Map<string, Map<OrderValue, Set<Query>>>
  readonly unbucketed: Set<Query>
}

/** No queries. */
export const make = <Query>(): Concerned<Query> => ({ holders: new Map(), buckets: new Map(), unbucketed: new Set() })

/** Adds a query whose window is still empty. */
export const add = <Query>(concerned: Concerned<Query>, query: Query, buckets: ReadonlyArray<Bucket>): void => {
  if (buckets.length === 0) concerned.unbucketed.add(query)
  for (const { field, values } of buckets) {
    const ofField = concerned.buckets.get(field) ?? new Map<OrderValue, Set<Query>>()
    concerned.buckets.set(field, ofField)
    for (const value of values) put(ofField, value, query)
  }
}

/** Removes a query, and what its window holds. */
export const remove = <Query>(
  concerned: Concerned<Query>,
  query: Query,
  how: { readonly buckets: ReadonlyArray<Bucket>; readonly holds: Iterable<string> }
): void => {
  const { buckets, holds } = how
  concerned.unbucketed.delete(query)
  for (const id of holds) drop(concerned.holders, id, query)
  for (const { field, values } of buckets) {
    const ofField = concerned.buckets.get(field)
    if (ofField === undefined) continue
    for (const value of values) drop(ofField, value, query)
    if (ofField.size === 0) concerned.buckets.delete(field)
  }
}

/** Notes what came into the window of a query and went from it. */
export const move = <Query>({ holders }: Concerned<Query>, query: Query, { came, gone }: Moves): void => {
  for (const id of gone) drop(holders, id, query)
  for (const id of came) put(holders, id, query)
}

/** The queries that a record concerns, each once. `row` is undefined if there is no such record now. */
export const concernedBy = <Query>(
  { buckets, holders, unbucketed }: Concerned<Query>,
  source: ListSource,
  id: string,
  row: ListedRow | undefined
): ReadonlySet<Query> => {
  const found = new Set(holders.get(id))
  if (row === undefined) return found
  for (const query of unbucketed) found.add(query)
  for (const [field, ofField] of buckets) {
    const [value = null] = keyOf(source, [ascending(field)], row)
    for (const query of ofField.get(value) ?? []) found.add(query)
  }
  return found
}

const ascending = (field: string): OrderBy => ({ field, direction: "asc" })

const put = <Key, Query>(sets: Map<Key, Set<Query>>, key: Key, query: Query): void => {
  const found = sets.get(key)
  if (found === undefined) sets.set(key, new Set([query]))
  else found.add(query)
}

const drop = <Key, Query>(sets: Map<Key, Set<Query>>, key: Key, query: Query): void => {
  const found = sets.get(key)
  found?.delete(query)
  if (found?.size === 0) sets.delete(key)
}

/** A query that stays open: which list it is, and which records can concern it. Pure. docs/live.md. */
import { type Folded, namesOf } from "../Access/fold.ts"
import type { KeyedFilter } from "../Machine/Filter.ts"
import type { ListRequest } from "../Machine/List.ts"
import type { OrderValue } from "../Machine/Order.ts"
import type { Branches } from "../Machine/Restriction.ts"
import { operandsOf } from "../Machine/ValueRange.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { bucketsOfQueryMaxCount } from "./Bounds.ts"

/** One page of a list, to be kept right. It counts no other pages: each change would count them anew. */
export interface LiveRequest extends Omit<ListRequest, "countsTotal"> {
  readonly descriptor: Descriptor
  /** The fields to show; undefined for all. */
  readonly select: ReadonlyArray<string> | undefined
  /** The records that the reader may read; undefined for all. */
  readonly reach?: Folded | undefined
}

/** Names the page that is asked for. Equal queries have one name, in any order of their filters and of their reader's sets. */
export const identityOf = ({ after, descriptor, filters, limit, orderBy, reach, select }: LiveRequest): string =>
  JSON.stringify([
    descriptor.name,
    filters.map((filter) => JSON.stringify(filter)).sort(),
    orderBy,
    limit,
    // JSON has no infinities.
    after?.map((value) => (typeof value === "number" ? String(value) : [value])) ?? null,
    select?.toSorted() ?? null,
    reach === undefined ? null : namesOf(reach)
  ])

/** Values of one field: a record with another value cannot be in the list. */
export interface Bucket {
  readonly field: string
  readonly values: ReadonlyArray<OrderValue>
}

/**
 * The buckets of which one has each record of a list: one that the filters name, or else one of each branch. None if the
 * filters, or those of a branch, name no value.
 */
export const bucketsOf = (
  idField: string,
  { branches, filters }: { readonly filters: ReadonlyArray<KeyedFilter>; readonly branches: Branches | undefined }
): ReadonlyArray<Bucket> => {
  const all = bucketOf(idField, filters)
  if (all !== undefined) return [all]
  const each = (branches ?? []).flatMap((branch) => bucketOf(idField, branch) ?? [])
  return each.length === branches?.length ? each : []
}

/** The narrowest bucket that the filters name: of the id, if one is of the id. */
const bucketOf = (idField: string, filters: ReadonlyArray<KeyedFilter>): Bucket | undefined => {
  const buckets = filters.flatMap((filter): ReadonlyArray<Bucket> => {
    const values = new Set(operandsOf(filter))
    return values.size === 0 || values.size > bucketsOfQueryMaxCount
      ? []
      : [{ field: filter.field, values: [...values] }]
  })
  const size = ({ field, values }: Bucket) => (field === idField ? 0 : values.length)
  return buckets.toSorted((left, right) => size(left) - size(right))[0]
}

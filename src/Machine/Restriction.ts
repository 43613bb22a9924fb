/**
 * The records that a reader may read, as a restriction of a list: several branches of filters, of which each record meets
 * one. Pure. A single branch is only more filters. With several, the candidates are those of all branches together, each
 * once.
 */
import { type Candidates, candidateSets, onField, rowsOf } from "./Candidates.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { type KeyedFilter, keyedAll } from "./Filter.ts"
import { filtersOf } from "./Guard.ts"
import type { ListSource } from "./ListedRows.ts"
import type { OrderValue } from "./Order.ts"
import type { Row } from "./Table.ts"
import { operandsOf } from "./ValueRange.ts"

/** Branches with the keys of their filters. */
export type Branches = ReadonlyArray<ReadonlyArray<KeyedFilter>>

/** The most values whose records are walked side by side. */
const walksMaxCount = 64

/** The filters of a list with the reach of its reader. */
export const joined = (
  { reach, table }: ListSource,
  filters: ReadonlyArray<KeyedFilter>
): { readonly filters: ReadonlyArray<KeyedFilter>; readonly branches: Branches | undefined } => {
  if (reach === undefined) return { filters, branches: undefined }
  const branches = filtersOf(reach).map((branch) => keyedAll(table.orders, branch))
  const [only, second] = branches
  return only !== undefined && second === undefined
    ? { filters: [...filters, ...only], branches: undefined }
    : { filters, branches }
}

/** The rows of all branches, each once; undefined if one of them has no index to go by. */
export const rowsOfAll = (source: ListSource, branches: Branches): Candidates | undefined => {
  const sets = branches.flatMap((branch) => candidateSets(source, branch).slice(0, 1))
  return sets.length < branches.length ? undefined : together(sets)
}

function* together(sets: ReadonlyArray<Candidates>): Generator<readonly [string, Row]> {
  const seen = new Set<string>()
  for (const set of sets) {
    for (const candidate of set) {
      if (seen.has(candidate[0])) continue
      seen.add(candidate[0])
      yield candidate
    }
  }
}

/** The same in the order of their ids; undefined if one branch names no values of an index, or all name too many. */
export const inOrderOfIds = (
  source: ListSource,
  branches: Branches,
  direction: "asc" | "desc",
  afterId: string | undefined
): Candidates | undefined => {
  const { table } = source
  const walks: Array<Iterable<string>> = []
  for (const branch of branches) {
    const named = namedBy(source, branch)
    if (named === undefined || walks.length + named.values.length > walksMaxCount) return undefined
    walks.push(...named.values.map((value) => FieldIndex.idsOf(named.index, value, direction, afterId)))
  }
  return rowsOf(table, merged(walks, direction))
}

/** The first index of which a branch names values. */
const namedBy = (
  { table }: ListSource,
  branch: ReadonlyArray<KeyedFilter>
): { readonly index: FieldIndex.FieldIndex; readonly values: ReadonlyArray<OrderValue> } | undefined => {
  for (const [field, index] of table.indexes) {
    const values = onField(branch, field)
      .map(operandsOf)
      .find((operands) => operands !== undefined)
    if (values !== undefined) return { index, values }
  }
  return undefined
}

/** Ids of several walks in one order, each once. */
function* merged(walks: ReadonlyArray<Iterable<string>>, direction: "asc" | "desc"): Generator<string> {
  const heads = walks.map((walk) => {
    const rest = walk[Symbol.iterator]()
    return { rest, head: rest.next() }
  })
  for (;;) {
    let first: string | undefined
    for (const { head } of heads) {
      if (head.done === true) continue
      const isBefore = first === undefined || (direction === "asc" ? head.value < first : head.value > first)
      if (isBefore) first = head.value
    }
    if (first === undefined) return
    yield first
    for (const each of heads) if (each.head.done !== true && each.head.value === first) each.head = each.rest.next()
  }
}

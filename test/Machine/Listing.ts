/** What tests of lists ask with: whole requests, walks from page to page, and tables that count the rows looked at. */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import type { ListRequest, ListSource } from "../../src/Machine/List.ts"
import * as List from "../../src/Machine/List.ts"
import type { OrderBy, OrderValue } from "../../src/Machine/Order.ts"
import type { Table } from "../../src/Machine/Table.ts"

export const byId: OrderBy = { field: "id", direction: "asc" }

/** A page of records that can all be read. */
export const list = (source: ListSource, request: ListRequest) => Result.getOrThrow(List.list(source, request))

export const ask = (request: Partial<ListRequest> = {}): ListRequest => ({
  filters: [],
  orderBy: [byId],
  limit: 50,
  after: undefined,
  countsTotal: false,
  ...request
})

export const idsOf = (source: ListSource, request: Partial<ListRequest> = {}) =>
  list(source, ask(request)).rows.map(({ id }) => id)

/** All pages, one after another; `between` runs before each but the first. */
export const walk = (source: ListSource, request: Partial<ListRequest>, between: () => void = () => {}) => {
  const ids: Array<string> = []
  let after: ReadonlyArray<OrderValue> | undefined
  do {
    if (after !== undefined) between()
    const page = list(source, ask({ ...request, after }))
    ids.push(...page.rows.map(({ id }) => id))
    assert.isBelow(ids.length, 1000, "a walk that does not end")
    after = page.lastKey
  } while (after !== undefined)
  return ids
}

/** The rows a list looks at: a table that counts how often its tree is read. */
export const counting = (table: Table) => {
  let looks = 0
  const rows = new Proxy(table.rows, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== "function") return member
      return (...args: ReadonlyArray<unknown>) => {
        const result: unknown = Reflect.apply(member, target, args)
        if (name === "get") looks++
        return name === "entries" || name === "entriesReversed" ? counted(result as Iterable<unknown>) : result
      }
    }
  })
  function* counted(entries: Iterable<unknown>) {
    for (const entry of entries) {
      looks++
      yield entry
    }
  }
  return { source: { table: { ...table, rows }, idField: "id" } satisfies ListSource, looks: () => looks }
}

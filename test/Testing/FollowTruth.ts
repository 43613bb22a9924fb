/** What followers must have seen, by the log alone: the list of a query at each index, and each change once, in order. */
import { assert } from "@effect/vitest"
import type { AppliedEntry } from "../../src/Cluster/Feed.ts"
import type { Told } from "../support/EventStream.ts"

/** The data of any event of a stream, of live queries or of changes. */
export interface Followed {
  readonly index: number
  readonly model?: string
  readonly id?: string
  readonly version?: number
  readonly record?: Stored
  readonly items?: ReadonlyArray<Shown>
  readonly put?: ReadonlyArray<Shown & { readonly after: string | null }>
  readonly remove?: ReadonlyArray<string>
  readonly next?: string | null
  readonly initialEnd?: true
}

interface Stored {
  readonly id: string
  readonly group: string
  readonly rank: number
}

interface Shown {
  readonly id: string
  readonly version: number
  readonly record: Stored
}

/** A page as a client has it. */
export interface Page {
  readonly items: ReadonlyArray<Shown>
  readonly hasNext: boolean
}

/** A list of items. */
export interface Query {
  readonly group: string | undefined
  readonly leastRank: number | undefined
  readonly order: string
  readonly limit: number
  readonly isLocal: boolean
}

/** The parameters of a query. */
export const queryOf = ({ group, isLocal, leastRank, limit, order }: Query): string =>
  [
    `limit=${limit}`,
    `order=${order}`,
    ...(group === undefined ? [] : [`group=eq.${group}`]),
    ...(leastRank === undefined ? [] : [`rank=gte.${leastRank}`]),
    ...(isLocal ? ["consistency=local"] : [])
  ].join("&")

/** The page after an event, as docs/live.md tells clients to make it; undefined before the first page. */
export const pageAfter = (page: Page | undefined, event: string, data: Followed): Page | undefined => {
  const hasNext = data.next !== null
  switch (event) {
    case "page":
      return { items: data.items!, hasNext }
    case "diff": {
      const gone = new Set([...data.remove!, ...data.put!.map(({ id }) => id)])
      const items = page!.items.filter(({ id }) => !gone.has(id))
      for (const { after, ...item } of data.put!) {
        const at = after === null ? -1 : items.findIndex(({ id }) => id === after)
        assert.isTrue(after === null || at >= 0, `${item.id} comes after ${after}, which is not there`)
        items.splice(at + 1, 0, item)
      }
      return { items, hasNext }
    }
    default:
      return page
  }
}

/** A change in the log. */
interface Change {
  readonly index: number
  readonly position: string
  readonly event: string
  readonly id: string
  readonly version: number
  readonly record: Stored
}

const changesIn = ({ index, transaction }: AppliedEntry): ReadonlyArray<Change> =>
  (transaction?.events ?? []).flatMap(({ data, id, model, type, version }, ordinal) =>
    model === "Item"
      ? [{ index, position: `${index}.${ordinal}`, event: type, id, version, record: data as unknown as Stored }]
      : []
  )

const inOrder =
  (order: string) =>
  (left: Shown, right: Shown): number => {
    const [field, direction] = order.split(".") as ["id" | "rank", string]
    const sign = direction === "desc" ? -1 : 1
    const byId = left.id < right.id ? -1 : 1
    if (field === "id") return sign * byId
    return left.record.rank === right.record.rank ? byId : sign * (left.record.rank - right.record.rank)
  }

const changeOf = ({ data, event, id }: Told<Followed>): Change => ({
  index: data.index,
  position: id!,
  event,
  id: data.id!,
  version: data.version!,
  record: data.record!
})

/** The log, as a judge reads it. */
export class Truth {
  readonly changes: ReadonlyArray<Change>
  /** The last entry that changed a record. */
  readonly lastChanged: number

  private constructor(changes: ReadonlyArray<Change>) {
    this.changes = changes
    this.lastChanged = changes.at(-1)?.index ?? 0
  }

  static of(entries: ReadonlyArray<AppliedEntry>): Truth {
    return new Truth(entries.flatMap(changesIn))
  }

  private stateAt(index: number): ReadonlyMap<string, Shown> {
    const state = new Map<string, Shown>()
    for (const change of this.changes) {
      if (change.index > index) break
      const { event, id, record, version } = change
      if (event === "deleted") state.delete(id)
      else state.set(id, { id, version, record })
    }
    return state
  }

  /** The page of a list at an index. */
  listAt(index: number, { group, leastRank, limit, order }: Query): Page {
    const matches = [...this.stateAt(index).values()]
      .filter(({ record }) => group === undefined || record.group === group)
      .filter(({ record }) => leastRank === undefined || record.rank >= leastRank)
      .sort(inOrder(order))
    return { items: matches.slice(0, limit), hasNext: matches.length > limit }
  }

  /** Each change once and in order; after a first state, those after it, and the state itself at its end. */
  judgeChanges(begin: "after=0" | "initial=true", seen: ReadonlyArray<Told<Followed>>): void {
    const end = begin === "after=0" ? -1 : seen.findIndex(({ data }) => data.initialEnd === true)
    if (begin === "initial=true") {
      assert.isAtLeast(end, 0, "a first state has no end")
      const state = new Map<string, Shown>()
      for (const { data, event } of seen.slice(0, end)) {
        const { id, record, version } = data
        if (id === undefined) continue
        if (event === "record") assert.isFalse(state.has(id), `${id} is told twice as a record`)
        if (event === "deleted") state.delete(id)
        else state.set(id, { id, version: version!, record: record! })
      }
      const { index } = seen[end]!.data
      const sorted = (map: ReadonlyMap<string, Shown>) =>
        [...map.entries()].sort(([left], [right]) => (left < right ? -1 : 1))
      assert.deepStrictEqual(sorted(state), sorted(this.stateAt(index)), `the first state at ${index}`)
    }
    const from = end < 0 ? 0 : seen[end]!.data.index
    const told = seen.slice(end + 1).filter(({ data }) => data.id !== undefined)
    assert.deepStrictEqual(
      told.map(changeOf),
      this.changes.filter(({ index }) => index > from),
      `the changes after ${from}`
    )
  }
}

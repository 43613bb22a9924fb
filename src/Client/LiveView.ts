/**
 * The page of a live query as a client has it. It takes what the node tells, and gives the page with all differences since
 * it was last taken: so what is not taken gathers, and a node that begins again with a whole page makes no difference by
 * itself. Pure, but for the page, which it owns and changes.
 */
import * as Result from "effect/Result"
import type { RowClass, RowCodecs } from "../Model/RowCodecs.ts"
import type { LivePage } from "./LivePage.ts"
import type { Versioned } from "./Versioned.ts"

/** A record as a node tells it. */
export interface Sent {
  readonly id: string
  readonly version: number
  readonly record: unknown
}

/** How new the page is that a node tells of. */
interface Told {
  readonly index: number
  readonly staleMs: number | undefined
}

/** What a node tells of one live query. */
export type LiveEvent =
  | (Told & { readonly type: "page"; readonly items: ReadonlyArray<Sent>; readonly next: string | null })
  | (Told & {
      readonly type: "diff"
      readonly put: ReadonlyArray<Sent & { readonly after: string | null }>
      readonly remove: ReadonlyArray<string>
      readonly next: string | null
    })
  | (Told & { readonly type: "bookmark" })

/** One state of a record. The same entry is the same state. */
interface Entry<M extends RowClass> {
  readonly sent: Sent
  /** Made when the entry is first taken. */
  row: Versioned<M> | undefined
}

/** The page of one live query. */
export interface LiveView<M extends RowClass> {
  readonly take: (event: LiveEvent) => void
  /** Whether something was told since the page was last given. */
  readonly isNews: () => boolean
  /** Gives the page. Fails with the message of a record that does not fit the model of this program. */
  readonly give: () => Result.Result<LivePage<M>, string>
}

/** A view that has no page yet. */
export const make = <M extends RowClass>({ decode }: Pick<RowCodecs<M>, "decode">): LiveView<M> => {
  let entries: ReadonlyArray<Entry<M>> = []
  let given: ReadonlyArray<Entry<M>> = []
  let next: string | null = null
  let index = 0
  let staleMs: number | undefined
  let isNews = false
  /** A stream of several queries tells all of them how far it is, also one whose page is still to come. */
  let hasPage = false

  const whole = (items: ReadonlyArray<Sent>): ReadonlyArray<Entry<M>> => {
    const known = new Map(entries.map((entry) => [entry.sent.id, entry]))
    return items.map((sent) => {
      const held = known.get(sent.id)
      return held !== undefined && isSame(held.sent, sent) ? held : { sent, row: undefined }
    })
  }

  const changed = ({ put, remove }: Extract<LiveEvent, { readonly type: "diff" }>): ReadonlyArray<Entry<M>> => {
    const gone = new Set([...remove, ...put.map(({ id }) => id)])
    const left = entries.filter(({ sent }) => !gone.has(sent.id))
    for (const { after, ...sent } of put) {
      const at = after === null ? -1 : left.findIndex((entry) => entry.sent.id === after)
      left.splice(at + 1, 0, { sent, row: undefined })
    }
    return left
  }

  const rowOf = (entry: Entry<M>): Result.Result<Versioned<M>, string> => {
    if (entry.row !== undefined) return Result.succeed(entry.row)
    return Result.mapBoth(decode(entry.sent.record), {
      onFailure: ({ message }) => message,
      onSuccess: (row) => {
        entry.row = { row, version: entry.sent.version }
        return entry.row
      }
    })
  }

  return {
    take: (event) => {
      if (event.type === "page") hasPage = true
      if (!hasPage) return
      // Another node may lag behind its former page where no record of it has changed.
      index = Math.max(index, event.index)
      staleMs = event.staleMs
      isNews = true
      if (event.type === "bookmark") return
      entries = event.type === "page" ? whole(event.items) : changed(event)
      next = event.next
    },
    isNews: () => isNews,
    give: () => {
      const known = new Set(given)
      const ids = new Set(entries.map(({ sent }) => sent.id))
      return Result.map(Result.all(entries.map(rowOf)), (items) => {
        const put = items.filter((_, at) => !known.has(entries[at]!))
        // The ids are those of the model: its log has them.
        const removed = given.flatMap(({ sent: { id } }) => (ids.has(id) ? [] : [id as never]))
        given = entries
        isNews = false
        return { items, next: next ?? undefined, put, removed, logIndex: index, staleMs }
      })
    }
  }
}

/** A local part may change, and the version does not. */
const isSame = (left: Sent, right: Sent): boolean =>
  left.version === right.version && JSON.stringify(left.record) === JSON.stringify(right.record)

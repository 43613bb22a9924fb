/** One of a node's two logs, as followers of changes read it. */
import { Effect } from "effect"
import type { Feed } from "../Cluster/Feed.ts"
import type { Tables } from "../Machine/Tables.ts"
import type * as Freshness from "../Repository/Freshness.ts"
import type { Entry } from "./Change.ts"
import type { FindFormer } from "./Formers.ts"
import * as Wake from "./Wake.ts"

/** The most changes or records of one step. A large entry is told in several. */
export const stepMaxCount = 64
/** How many entries that took several steps are kept for the followers that read them again. */
const keptMaxCount = 4

/** The feed of a log. */
export type Entries = Pick<Feed, "oldestIndex" | "appliedIndex" | "applied" | "isPlace" | "read">

/** One of a node's two logs. */
export interface Log extends Entries {
  /** Whether positions name the directory, since no other node has this log. */
  readonly instance: string | undefined
  readonly tables: () => Tables
  readonly findFormer: FindFormer
  /** Waits until everything is applied that was committed when this began. */
  readonly freshen: Effect.Effect<unknown, Freshness.ReadFailure>
  readonly staleMs: (index: number, nowMs: number) => number | undefined
}

/**
 * Reads entries. Those that a follower reads in several steps are kept, since others may read them too: until the next
 * erasure, since the feed leaves out what was erased. `erasedIndex` is that of the last one.
 */
export const reading = Effect.fnUntraced(function* ({ read: readFeed, ...feed }: Entries, erasedIndex: () => number) {
  const applied = yield* Wake.make(feed)
  const kept = new Map<number, Entry>()
  let keptAt = erasedIndex()
  const read: Log["read"] = (range) =>
    Effect.suspend(() => {
      const readAt = erasedIndex()
      if (readAt !== keptAt) kept.clear()
      keptAt = readAt
      const known = kept.get(range.fromIndex)
      if (known !== undefined) return Effect.succeed([known])
      return Effect.tap(readFeed(range), ([entry]) =>
        Effect.sync(() => {
          if (entry === undefined || (entry.transaction?.events.length ?? 0) <= stepMaxCount) return
          // An erasure may have been applied while this was read.
          if (readAt !== erasedIndex() || readAt !== keptAt) return
          kept.set(entry.index, entry)
          for (const index of kept.keys()) if (kept.size > keptMaxCount) kept.delete(index)
        })
      )
    })
  return { ...feed, applied, read }
})

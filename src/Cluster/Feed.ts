/**
 * What is applied on this node, for those who follow it: every committed entry in order, from any index on, without a
 * gap, and none past what is applied here. A follower reads at its own pace, from memory where that is recent and from
 * disk where it is not: applying waits for nobody. Not what is done with the events (Projection, Reaction).
 */
import { Effect, Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { compactedAway, type LogCorrupt, type LogFailed, type LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { decode, type Transaction } from "../Machine/Transaction.ts"
import { type RaftLog, slice } from "../Raft/core/RaftLog.ts"
import * as Condition from "../Raft/node/Condition.ts"

/** A committed entry; one that is none of the machine's, a leader's first say, has no transaction. */
export interface AppliedEntry {
  readonly index: number
  readonly transaction: Transaction | undefined
}

export interface Feed {
  /** The last entry that is applied here; 0 before the first. */
  readonly appliedIndex: () => number
  /** Waits until `index` is applied here, for ever if it never is. */
  readonly applied: (index: number) => Effect.Effect<void>
  /**
   * Entries from `fromIndex` on: waits for the first, then gives as many as are applied and fit in `maxBytes` of
   * payload. It fails, as `compacted`, where a snapshot stands for the first: these entries are not on this node.
   */
  readonly read: (range: {
    readonly fromIndex: number
    readonly maxBytes: number
  }) => Effect.Effect<ReadonlyArray<AppliedEntry>, LogFailed | LogCorrupt>
}

/** The log that a feed reads, once the node runs. */
export interface FeedSource {
  readonly log: Readonly<RaftLog>
  readonly read: LogStore["Service"]["read"]
  readonly appliedIndex: () => number
}

/** A feed, and how the node that applies moves it on. */
export const make = () => {
  let source: FeedSource | undefined
  const { changed: advanced, until } = Condition.make()
  const decodedOf = decoding()
  const appliedIndex = () => source?.appliedIndex() ?? 0

  const applied = (index: number) => until(() => appliedIndex() >= index)

  const feed: Feed = {
    appliedIndex,
    applied,
    read: Effect.fnUntraced(function* ({ fromIndex, maxBytes }) {
      yield* applied(fromIndex)
      invariant(source !== undefined, "an entry is applied on a node that does not run")
      const range = { fromIndex, toIndex: appliedIndex(), maxBytes }
      const held = yield* Effect.fromResult(inMemory(source.log, range))
      return (held ?? (yield* source.read(range))).map(decodedOf)
    })
  }

  return {
    feed,
    /** The node runs: what it has applied can be read, and {@link advanced} says when that is more. */
    open: (opened: FeedSource): void => {
      source = opened
      advanced()
    },
    advanced
  }
}

/** Entries that are applied, if memory holds them; undefined where they are to be read from disk. Pure. */
export const inMemory = (
  log: RaftLog,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): Result.Result<ReadonlyArray<LogEntry> | undefined, LogFailed> => {
  // The disk may still hold what an installed snapshot is to replace: entries that were never committed, perhaps.
  if (range.fromIndex < log.firstIndex) return Result.fail(compactedAway(range.fromIndex, log))
  const held = slice(log, range)
  return Result.succeed(held.length > 0 ? held : undefined)
}

/** Followers at the end of the log read the same entries from memory, and each is decoded once for all of them. */
export const decoding = (): ((entry: LogEntry) => AppliedEntry) => {
  const decoded = new WeakMap<LogEntry, AppliedEntry>()
  return (entry) => {
    const known = decoded.get(entry)
    if (known !== undefined) return known
    const made = decodeEntry(entry)
    decoded.set(entry, made)
    return made
  }
}

const decodeEntry = ({ index, payload, type }: LogEntry): AppliedEntry => {
  if (type !== "transaction") return { index, transaction: undefined }
  const transaction = decode(payload)
  invariant(Result.isSuccess(transaction), `Cannot read entry ${index}, which is applied`)
  return { index, transaction: transaction.success }
}

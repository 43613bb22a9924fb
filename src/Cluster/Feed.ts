/**
 * The feed of applied entries on this node: every committed entry in order, from any index on, without a gap, and none
 * that is not applied here. A reader goes at its own pace, from memory or, further back, from disk, so applying waits
 * for no reader. Projection and Reaction use the events.
 */
import { Effect, Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { compactedAway, type LogCorrupt, type LogFailed, type LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { decode, type Transaction } from "../Machine/Transaction.ts"
import { type RaftLog, slice } from "../Raft/core/RaftLog.ts"
import * as Condition from "../Raft/node/Condition.ts"

/** A committed entry. An entry that is not the machine's, such as a leader's no-op, has no transaction. */
export interface AppliedEntry {
  readonly index: number
  readonly transaction: Transaction | undefined
}

export interface Feed {
  /** The last index that is applied here; 0 before the first. */
  readonly appliedIndex: () => number
  /** Waits until `index` is applied here, for ever if it never is. */
  readonly applied: (index: number) => Effect.Effect<void>
  /**
   * Reads entries from `fromIndex` on. It waits for the first, then returns as many applied entries as fit in
   * `maxBytes` of payload. It fails as `compacted` if a snapshot replaced the first one, so this node no longer has it.
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

/** Makes a feed, and the functions by which the node moves it on. */
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
    /** Opens the feed when the node runs. {@link advanced} reports newly applied entries. */
    open: (opened: FeedSource): void => {
      source = opened
      advanced()
    },
    advanced
  }
}

/** Applied entries from memory, or undefined if the caller must read them from disk. Pure. */
export const inMemory = (
  log: RaftLog,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): Result.Result<ReadonlyArray<LogEntry> | undefined, LogFailed> => {
  // The disk may still hold entries that an installed snapshot replaces, and some of them may never have been
  // committed.
  if (range.fromIndex < log.firstIndex) return Result.fail(compactedAway(range.fromIndex, log))
  const held = slice(log, range)
  return Result.succeed(held.length > 0 ? held : undefined)
}

/** Decodes each entry once for all readers at the end of the log, which read the same entries from memory. */
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

/**
 * The feed of applied entries on this node: every committed entry in order, from any index on, without a gap, and none
 * that is not applied here. A reader goes at its own pace, from memory, from the log or, further back, from its history,
 * so applying waits for no reader. Projection and Reaction use the events. Nobody sees data that was erased after its
 * entry, whether or not the node's files still have it.
 */
import { Effect, Result } from "effect"
import type { HistoryRange } from "../EventStore/History.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { type LogCorrupt, LogFailed, type LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { blanked, type Erasures } from "../Machine/Erasure.ts"
import { sealed } from "../Machine/Evidence.ts"
import * as Restored from "../Machine/Restored.ts"
import { decode, encode, type Transaction } from "../Machine/Transaction.ts"
import { slice } from "../Raft/core/RaftLog.ts"
import * as Condition from "../Raft/node/Condition.ts"
import * as ArchivedRecords from "./ArchivedRecords.ts"
import { type Holding, oldestIndexOf, readableIndex } from "./HistoryGaps.ts"

/** A committed entry. An entry that is not the machine's, such as a leader's no-op, has no transaction. */
export interface AppliedEntry {
  readonly index: number
  readonly transaction: Transaction | undefined
}

export interface Feed {
  /** The last index that is applied here; 0 before the first. */
  readonly appliedIndex: () => number
  /** The first index from which on this node holds every entry: 1 unless a part of its history is missing or removed. */
  readonly oldestIndex: () => number
  /** Waits until `index` is applied here, for ever if it never is. */
  readonly applied: (index: number) => Effect.Effect<void>
  /** The index of the first entry after `index`: the next one, but where a restore began the log. */
  readonly entryAfter: (index: number) => number
  /** How many entries after `index` are applied here. */
  readonly countAfter: (index: number) => number
  /** Whether `index` is a place in this log, and not below where a restore began it, where no entry ever was. */
  readonly isPlace: (index: number) => boolean
  /**
   * Reads entries from the first one on that is not below `fromIndex`. It waits for it, then returns as many applied
   * entries as fit in `maxBytes` of payload. It fails as `compacted` below {@link oldestIndex}: a follower would meet a
   * gap.
   */
  readonly read: (range: {
    readonly fromIndex: number
    readonly maxBytes: number
  }) => Effect.Effect<ReadonlyArray<AppliedEntry>, LogFailed | LogCorrupt>
  /** The same entries as the leader encoded them, but for erased data. */
  readonly readEncoded: (range: {
    readonly fromIndex: number
    readonly maxBytes: number
  }) => Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | LogCorrupt>
  /**
   * Waits until this node holds every entry from `index` on: at once, or when it has fetched what its history lacks from
   * its peers; for ever if no peer has that.
   */
  readonly reaches: (index: number) => Effect.Effect<void>
  /** The applied entries of a range that follow each other from its first on, as `read` reads; none if that is not held. */
  readonly held: (
    range: HistoryRange & { readonly maxBytes: number }
  ) => Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | LogCorrupt>
  /** The entry at an index that is applied; undefined if this node does not hold it. A gap after it does not matter. */
  readonly entry: (index: number) => Effect.Effect<AppliedEntry | undefined, LogFailed | LogCorrupt>
  /** A version of a record whose entry no archive of a restore held, if their first state has it. */
  readonly archived: ReturnType<typeof ArchivedRecords.make>
}

/** The log that a feed reads, once the node runs. */
export interface FeedSource extends Holding {
  /** Reads the log on disk, and its history. */
  readonly read: LogStore["Service"]["read"]
  /** The erasures of the applied state. */
  readonly erasures: () => Erasures
}

/** Makes a feed, and the functions by which the node moves it on. */
export const make = () => {
  let source: FeedSource | undefined
  const { changed: advanced, until } = Condition.make()
  const decodedOf = decoding()
  const appliedIndex = () => source?.appliedIndex() ?? 0
  const oldest = () => (source === undefined ? 1 : oldestIndexOf(source))
  const restored = () => source?.restored()
  const entryAfter = (index: number) => Restored.entryAfter(restored(), index)

  const applied = (index: number) => until(() => appliedIndex() >= index)

  const readHeld = Effect.fnUntraced(function* (fromIndex: number, maxBytes: number) {
    yield* applied(fromIndex)
    invariant(source !== undefined, "an entry is applied on a node that does not run")
    const { log, read, retainedFrom } = source
    if (fromIndex < retainedFrom()) return undefined
    const range = { fromIndex, toIndex: appliedIndex(), maxBytes }
    const held = slice(log, range)
    if (held.length > 0) return held
    const toIndex = readableIndex(source, range)
    return toIndex === undefined ? undefined : yield* read({ ...range, toIndex })
  })

  const blankedIn = (entries: ReadonlyArray<AppliedEntry>): ReadonlyArray<AppliedEntry> => {
    const erasures = source?.erasures()
    return erasures === undefined ? entries : entries.map((entry) => blankedApplied(entry, erasures))
  }

  const encodedIn = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<LogEntry> => {
    const erasures = source?.erasures()
    return erasures === undefined ? entries : entries.map((entry) => blankedEntry(entry, erasures))
  }

  const readRaw = Effect.fnUntraced(function* (range: Parameters<Feed["readEncoded"]>[0]) {
    const { maxBytes } = range
    // Only a node that runs knows where its log begins.
    yield* applied(range.fromIndex)
    const fromIndex = entryAfter(range.fromIndex - 1)
    yield* applied(fromIndex)
    const oldestIndex = oldest()
    const held = fromIndex < oldestIndex ? undefined : yield* readHeld(fromIndex, maxBytes)
    return held ?? (yield* notHeld(fromIndex, oldestIndex))
  })

  const entry: Feed["entry"] = (index) =>
    Effect.map(heldOr(readHeld(index, 1)), (entries) =>
      entries?.[0] === undefined ? undefined : blankedIn([decodedOf(entries[0])])[0]
    )

  const feed: Feed = {
    appliedIndex,
    oldestIndex: oldest,
    applied,
    entryAfter,
    countAfter: (index) => Restored.entriesCount(restored(), index, appliedIndex()),
    isPlace: (index) => Restored.isPlace(restored(), index),
    read: (range) => Effect.map(readRaw(range), (entries) => blankedIn(entries.map(decodedOf))),
    readEncoded: (range) => Effect.map(readRaw(range), encodedIn),
    reaches: (index) => until(() => oldest() <= entryAfter(index - 1)),
    held: ({ fromIndex, maxBytes, toIndex }) =>
      fromIndex > appliedIndex()
        ? Effect.succeed([])
        : Effect.map(heldOr(readHeld(fromIndex, maxBytes)), (entries = []) =>
            encodedIn(entries.filter(({ index }) => index <= toIndex))
          ),
    entry,
    archived: ArchivedRecords.make({ restored, entry })
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

const notHeld = (fromIndex: number, oldestIndex: number) =>
  new LogFailed({
    message: `Cannot read entry ${fromIndex}: this node holds all entries from ${oldestIndex} on`,
    reason: "compacted"
  })

/** What is not held is undefined. */
const heldOr = <A>(read: Effect.Effect<A, LogFailed | LogCorrupt>) =>
  Effect.catchIf(
    read,
    (error) => error._tag === "LogFailed" && error.reason === "compacted",
    () => Effect.succeed(undefined)
  )

const blankedApplied = (entry: AppliedEntry, erasures: Erasures): AppliedEntry => {
  const { index, transaction } = entry
  if (transaction === undefined || index >= erasures.lastIndex) return entry
  const left = blanked(transaction, index, erasures)
  return left === transaction ? entry : { index, transaction: left }
}

/** The entry without data that was erased after it. It returns the same object if there is none. */
export const blankedEntry = (entry: LogEntry, erasures: Erasures): LogEntry => {
  if (entry.type !== "transaction" || entry.index >= erasures.lastIndex) return entry
  const { transaction } = decodeEntry(entry)
  const left = blanked(transaction!, entry.index, erasures)
  return left === transaction ? entry : { ...entry, payload: encode(sealed(left, entry.payload)) }
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

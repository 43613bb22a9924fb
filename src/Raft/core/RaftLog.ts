/**
 * The log in memory: the term of every entry, and the bytes of recent ones. EventStore/LogStore.ts is the log on disk,
 * which holds all of them. Pure, owned, mutable. Raft §5.3.
 */
import type { LogEntry, Recovered, SnapshotMark } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"

export interface RaftLog {
  /**
   * 1 until history is compacted or a snapshot is installed. From then on the log starts after (firstIndex − 1,
   * previousTerm).
   */
  firstIndex: number
  previousTerm: number
  /**
   * Entries before `firstIndex` are committed up to here. The disk may still hold entries after it that an installed
   * snapshot replaces, and some of those may never have been committed.
   */
  keptIndex: number
  lastIndex: number
  /** Ascending. The last run that begins at or below an index gives its term. */
  termRuns: Array<{ readonly fromIndex: number; readonly term: number }>
  /** Entries windowFirstIndex..lastIndex, without a gap. */
  window: Array<LogEntry>
  windowFirstIndex: number
  windowBytes: number
}

export const fromRecovered = (recovered: Recovered): RaftLog => ({
  firstIndex: recovered.firstIndex,
  previousTerm: recovered.previousTerm ?? 0,
  keptIndex: recovered.firstIndex - 1,
  lastIndex: recovered.lastIndex,
  termRuns: recovered.termRuns.map((run) => ({ ...run })),
  window: [],
  windowFirstIndex: recovered.lastIndex + 1,
  windowBytes: 0
})

/** The term of an entry, or of the one before the first. 0 at index 0; undefined outside the log. */
export const termAt = (log: RaftLog, index: number): number | undefined => {
  if (index === log.firstIndex - 1) return log.previousTerm
  if (index < log.firstIndex || index > log.lastIndex) return undefined
  return log.termRuns[runAt(log, index)]?.term
}

export const lastTerm = (log: RaftLog): number => log.termRuns[log.termRuns.length - 1]?.term ?? log.previousTerm

/** The first index of the run of one term that holds `index`. A follower asks its leader to go back there (§5.3). */
export const firstIndexOfRun = (log: RaftLog, index: number): number =>
  log.termRuns[runAt(log, index)]?.fromIndex ?? log.firstIndex

/** The last index of `term`, or undefined if the log has no entry of it. */
export const lastIndexOfTerm = (log: RaftLog, term: number): number | undefined => {
  const position = log.termRuns.findLastIndex((run) => run.term === term)
  if (position === -1) return log.firstIndex > 1 && term === log.previousTerm ? log.firstIndex - 1 : undefined
  const next = log.termRuns[position + 1]
  return next === undefined ? log.lastIndex : next.fromIndex - 1
}

/** Whether a log that ends at (`lastLogTerm`, `lastLogIndex`) is at least as up to date as this one (§5.4.1). */
export const isUpToDate = (
  log: RaftLog,
  candidate: { readonly lastLogTerm: number; readonly lastLogIndex: number }
): boolean => {
  const own = lastTerm(log)
  return candidate.lastLogTerm > own || (candidate.lastLogTerm === own && candidate.lastLogIndex >= log.lastIndex)
}

export const append = (log: RaftLog, entry: LogEntry): void => {
  const last = lastTerm(log)
  invariant(entry.index === log.lastIndex + 1, `entry ${entry.index} does not follow last index ${log.lastIndex}`)
  invariant(entry.term >= last, `entry ${entry.index} of term ${entry.term} follows one of term ${last}`)
  if (entry.term > last || log.termRuns.length === 0) log.termRuns.push({ fromIndex: entry.index, term: entry.term })
  log.window.push(entry)
  log.windowBytes += entry.payload.length
  log.lastIndex = entry.index
}

/** Removes `fromIndex` and all entries after it. */
export const truncate = (log: RaftLog, fromIndex: number): void => {
  while (log.window.length > 0 && log.lastIndex >= fromIndex) {
    log.windowBytes -= log.window.pop()!.payload.length
    log.lastIndex--
  }
  log.lastIndex = fromIndex - 1
  log.windowFirstIndex = Math.min(log.windowFirstIndex, fromIndex)
  while ((log.termRuns[log.termRuns.length - 1]?.fromIndex ?? 0) >= fromIndex) log.termRuns.pop()
}

/** Forgets `throughIndex` and all entries before it, which a snapshot replaces (§7). */
export const compact = (log: RaftLog, throughIndex: number): void => {
  const term = termAt(log, throughIndex)
  invariant(term !== undefined, `cannot compact through ${throughIndex}: it is not in the log`)
  const firstIndex = throughIndex + 1
  const runs = log.termRuns.filter((_, at) => (log.termRuns[at + 1]?.fromIndex ?? log.lastIndex + 1) > firstIndex)
  log.termRuns = runs.map((run) => ({ fromIndex: Math.max(run.fromIndex, firstIndex), term: run.term }))
  log.firstIndex = firstIndex
  log.previousTerm = term
  log.keptIndex = throughIndex
  dropOldest(log, throughIndex - log.windowFirstIndex + 1)
}

/** Starts over after a snapshot, without any entry (§7). The entries through `committedIndex` are known to be committed. */
export const startAfter = (log: RaftLog, mark: SnapshotMark, committedIndex: number): void => {
  log.keptIndex = Math.max(log.firstIndex - 1, Math.min(committedIndex, log.lastIndex))
  log.firstIndex = mark.index + 1
  log.previousTerm = mark.term
  log.lastIndex = mark.index
  log.termRuns = []
  log.window = []
  log.windowFirstIndex = mark.index + 1
  log.windowBytes = 0
}

/** The entry at `index`, if its bytes are in memory. */
export const entryAt = (log: RaftLog, index: number): LogEntry | undefined => log.window[index - log.windowFirstIndex]

/** What an entry counts for whose bytes are not in memory. */
const assumedBytes = 1024

/**
 * The index before the newest entries through `throughIndex`: as many of them as `maxCount` and `maxBytes` of payload
 * allow.
 */
export const lastBefore = (
  log: RaftLog,
  throughIndex: number,
  { maxBytes, maxCount }: { readonly maxBytes: number; readonly maxCount: number }
): number => {
  const beginIndex = Math.max(log.firstIndex - 1, throughIndex - maxCount)
  if (maxBytes === Number.POSITIVE_INFINITY) return beginIndex
  let index = throughIndex
  for (let bytes = 0; index > beginIndex; index--) {
    bytes += entryAt(log, index)?.payload.length ?? assumedBytes
    if (bytes > maxBytes) return index
  }
  return index
}

/** Entries of a range that are in memory: at least one if there is any, then as many as fit in `maxBytes`. */
export const slice = (
  log: RaftLog,
  range: { readonly fromIndex: number; readonly toIndex?: number; readonly maxBytes: number }
): ReadonlyArray<LogEntry> => {
  const entries: Array<LogEntry> = []
  const toIndex = Math.min(range.toIndex ?? log.lastIndex, log.lastIndex)
  let bytes = 0
  for (let index = range.fromIndex; index <= toIndex; index++) {
    const entry = entryAt(log, index)
    if (entry === undefined) break
    bytes += entry.payload.length
    if (entries.length > 0 && bytes > range.maxBytes) break
    entries.push(entry)
  }
  return entries
}

/**
 * Drops the oldest entries from memory while it holds more than `cacheBytes`, but none above `throughIndex`. It acts
 * only when the excess passes an eighth: the remaining entries are copied, and a copy per appended entry would cost too
 * much.
 */
export const trim = (log: RaftLog, limits: { readonly throughIndex: number; readonly cacheBytes: number }): void => {
  if (log.windowBytes <= limits.cacheBytes * 1.125) return
  let count = 0
  let bytes = log.windowBytes
  while (bytes > limits.cacheBytes && log.windowFirstIndex + count <= limits.throughIndex) {
    const entry = log.window[count]
    if (entry === undefined) break
    bytes -= entry.payload.length
    count++
  }
  dropOldest(log, count)
}

const dropOldest = (log: RaftLog, count: number): void => {
  if (count <= 0) return
  for (const entry of log.window.slice(0, count)) log.windowBytes -= entry.payload.length
  log.window = log.window.slice(count)
  log.windowFirstIndex += count
}

/** The position of the last run that begins at or below `index`. */
const runAt = (log: RaftLog, index: number): number => {
  let low = 0
  let high = log.termRuns.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (log.termRuns[middle]!.fromIndex <= index) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * Which applied entries a node holds, in its log and its history, and which it lacks. Pure. A node lacks what was decided
 * while it was away for so long that it took a snapshot, and what damage took from its history.
 */
import { type HistoryRange, isIn } from "../EventStore/History.ts"
import { entriesIn, entryAfter, type Restored } from "../Machine/Restored.ts"
import type { RaftLog } from "../Raft/core/RaftLog.ts"

/** What a node holds on its disk. */
export interface Holding {
  readonly log: Readonly<RaftLog>
  /** The first entry of the log on disk, without its history. */
  readonly firstIndex: () => number
  /** What the history holds. */
  readonly history: () => ReadonlyArray<HistoryRange>
  /** The first entry that the cluster retains; 0 if it retains all. */
  readonly retainedFrom: () => number
  /** How the log began, if a restore began it. */
  readonly restored: () => Restored | undefined
  readonly appliedIndex: () => number
}

/** Whether the log on disk reaches back below the log of consensus, by entries that are committed. */
const isOnDisk = ({ log }: Holding): boolean => log.keptIndex === log.firstIndex - 1

/** The first committed entry that is read from the log on disk. */
const beginOf = (holding: Holding): number => {
  const { firstIndex, log } = holding
  return isOnDisk(holding) ? Math.min(log.firstIndex, firstIndex()) : log.firstIndex
}

/** The first index from which on the log and its history hold every entry. */
export const oldestIndexOf = (holding: Holding): number => {
  let oldestIndex = beginOf(holding)
  for (const { fromIndex, toIndex } of holding.history().toReversed()) {
    // What archives held is no part of what followers read.
    const firstIndex = entryAfter(holding.restored(), fromIndex - 1)
    if (firstIndex < oldestIndex && entryAfter(holding.restored(), toIndex) >= oldestIndex) oldestIndex = firstIndex
  }
  return Math.max(oldestIndex, holding.retainedFrom())
}

/**
 * How far the disk may be read from `fromIndex` on; undefined if not at all. The disk may still hold entries that an
 * installed snapshot replaces, and some of them may never have been committed.
 */
export const readableIndex = (
  { history, log }: Pick<Holding, "history" | "log">,
  { fromIndex, toIndex }: HistoryRange
): number | undefined => {
  if (fromIndex >= log.firstIndex) return toIndex
  if (fromIndex <= log.keptIndex) return Math.min(toIndex, log.keptIndex)
  return isIn(history(), fromIndex) ? Math.min(toIndex, log.firstIndex - 1) : undefined
}

/** The applied entries that are held and retained, ascending, apart from each other by at least one entry. */
export const heldRanges = (holding: Holding): ReadonlyArray<HistoryRange> => {
  const beginIndex = beginOf(holding)
  const retainedFrom = holding.retainedFrom()
  const inLog = { fromIndex: beginIndex, toIndex: holding.appliedIndex() }
  const held: Array<HistoryRange> = []
  for (const range of [...holding.history(), inLog]) {
    const fromIndex = Math.max(range.fromIndex, retainedFrom)
    const toIndex = range === inLog ? range.toIndex : Math.min(range.toIndex, beginIndex - 1)
    if (fromIndex > toIndex) continue
    const last = held.at(-1)
    if (last !== undefined && last.toIndex + 1 >= fromIndex) {
      held[held.length - 1] = { fromIndex: last.fromIndex, toIndex: Math.max(last.toIndex, toIndex) }
    } else held.push({ fromIndex, toIndex })
  }
  return held
}

/** The entries below the log that are retained and not held, the newest first. */
export const gapsOf = (holding: Holding): ReadonlyArray<HistoryRange> => {
  // Until an installed snapshot is noted, the disk holds other entries, and a reader would meet those first.
  if (!isOnDisk(holding) && holding.firstIndex() < holding.log.firstIndex) return []
  const oldestIndex = Math.max(1, holding.retainedFrom())
  const gaps: Array<HistoryRange> = []
  const lacks = (fromIndex: number, toIndex: number): void => {
    gaps.push(...entriesIn(holding.restored(), { fromIndex, toIndex }).toReversed())
  }
  let next = beginOf(holding)
  for (const { fromIndex, toIndex } of heldRanges(holding).toReversed()) {
    if (fromIndex >= next) continue
    lacks(toIndex + 1, next - 1)
    next = fromIndex
  }
  lacks(oldestIndex, next - 1)
  return gaps
}

/** The newest of `held` among the entries of a range; undefined if none is. */
export const newestHeldIn = (
  held: ReadonlyArray<HistoryRange>,
  { fromIndex, toIndex }: HistoryRange
): HistoryRange | undefined => {
  const range = held.findLast((each) => each.fromIndex <= toIndex && each.toIndex >= fromIndex)
  if (range === undefined) return undefined
  return { fromIndex: Math.max(range.fromIndex, fromIndex), toIndex: Math.min(range.toIndex, toIndex) }
}

/**
 * The sparse index of a log in files: hard state, terms, segments, and where entries stand. takeRecord.ts changes it.
 * Pure; the caller owns it.
 */
import type { HardState, Recovered, SnapshotMark } from "./LogEntry.ts"

/** A segment as the index needs it: a log may begin with any of them. */
export interface SegmentSpan {
  readonly number: number
  /** The first entry that was to follow when the segment was made, and the term of the entry before it. */
  readonly baseIndex: number
  readonly baseTerm: number
  /** The lowest index that a truncation in this segment reaches down to. */
  truncatedFromIndex: number
}

/** The place of an entry. A reader looks from there on for all entries up to the next anchor. */
export interface Anchor {
  readonly index: number
  readonly segment: number
  readonly offset: number
}

/**
 * The sparse index of a log. Invariant: anchors and term runs ascend, none lies past `lastIndex` or below `firstIndex`,
 * and firstIndex − 1 ≤ snapshot ≤ lastIndex.
 */
export interface LogIndex {
  hardState: HardState
  firstIndex: number
  lastIndex: number
  /** The term of the entry before `firstIndex`; 0 if there is none. */
  previousTerm: number
  snapshot: SnapshotMark | undefined
  /** Ascending, without a gap, from the first that the log needs to the one that takes batches. */
  readonly segments: Array<SegmentSpan>
  /** The first segment that the newest mark needs. Only segments below it may be missing. */
  neededSegment: number
  readonly termRuns: Array<{ fromIndex: number; term: number }>
  /** Where the configuration entries are: a node must know its members before it reads any entry. */
  configurationIndexes: Array<number>
  readonly anchors: Array<Anchor>
  /** Whether the next entry gets an anchor of its own: it does not stand right behind the one before it. */
  anchorNext: boolean
}

/** The index of an empty log. */
export function emptyLogIndex(): LogIndex {
  return {
    hardState: { currentTerm: 0, votedFor: undefined },
    firstIndex: 1,
    lastIndex: 0,
    previousTerm: 0,
    snapshot: undefined,
    segments: [],
    neededSegment: 1,
    termRuns: [],
    configurationIndexes: [],
    anchors: [],
    anchorNext: true
  }
}

/** The term of an entry of the log, or of the one right before the first; undefined for all others. */
export function termAt(held: LogIndex, atIndex: number): number | undefined {
  if (atIndex === held.firstIndex - 1) return held.previousTerm
  if (atIndex < held.firstIndex || atIndex > held.lastIndex) return undefined
  return held.termRuns.findLast((run) => run.fromIndex <= atIndex)?.term
}

/** The position of the last anchor at or below `atIndex`. */
export function anchorBelow(anchors: ReadonlyArray<Anchor>, atIndex: number): number {
  let low = 0
  let high = anchors.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (anchors[middle]!.index <= atIndex) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** What users of the log learn when it is opened. */
export function recoveredOf(held: LogIndex): Recovered {
  const { firstIndex, hardState, lastIndex, previousTerm, snapshot } = held
  const configurationIndexes = held.configurationIndexes.filter((at) => at >= firstIndex && at <= lastIndex)
  return {
    hardState,
    firstIndex,
    lastIndex,
    ...(firstIndex === 1 ? {} : { previousTerm }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(configurationIndexes.length === 0 ? {} : { configurationIndexes }),
    termRuns: held.termRuns.map((run) => ({ ...run }))
  }
}

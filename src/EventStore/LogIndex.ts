/** What a log holds, record by record: hard state, terms, and where entries stand. Pure; the caller owns the state it passes. */
import { invariant } from "../Invariant.ts"
import { compactTo, restartAt, type SegmentSpan } from "./Compaction.ts"
import type { HardState, Recovered, SnapshotMark } from "./LogEntry.ts"
import type { RecordBody, SnapshotMarkBody } from "./Record.ts"

/** Where an entry stands: every anchor is the first place to look for the entries from its index up to the next anchor. */
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
  /** Of the entry before `firstIndex`; 0 when there is none. */
  previousTerm: number
  snapshot: SnapshotMark | undefined
  /** Ascending, and without a gap from the first that is needed to the one that takes batches. */
  readonly segments: Array<SegmentSpan>
  /** The first segment that the newest mark needs: those below may be missing, and no others. */
  neededSegment: number
  readonly termRuns: Array<{ fromIndex: number; term: number }>
  /** Of the configuration entries: a node must know its members before it reads a single entry. */
  configurationIndexes: Array<number>
  readonly anchors: Array<Anchor>
  /** The next entry does not stand behind its predecessor, or too far from the last anchor: it gets one of its own. */
  anchorNext: boolean
}

/** One anchor for so many bytes of records: 256 to a segment of the default size. */
const ANCHOR_SPACING_BYTES = 64 * 1024

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

/** The term of an entry that is there, or that stands right before the first; undefined for others. */
export function termAt(held: LogIndex, atIndex: number): number | undefined {
  if (atIndex === held.firstIndex - 1) return held.previousTerm
  if (atIndex < held.firstIndex || atIndex > held.lastIndex) return undefined
  return held.termRuns.findLast((run) => run.fromIndex <= atIndex)?.term
}

/** Why `body` cannot follow what the log holds; undefined when it can. Asked before writing and after reading alike. */
export function refusalOf(body: RecordBody, held: LogIndex): string | undefined {
  switch (body._tag) {
    case "Entry":
      if (body.entry.index === held.lastIndex + 1) return undefined
      return `entry ${body.entry.index} follows entry ${held.lastIndex}`
    case "TruncateFrom": {
      const { fromIndex } = body
      const keptIndex = Math.max(held.firstIndex - 1, held.snapshot?.index ?? 0)
      if (fromIndex > keptIndex && fromIndex <= held.lastIndex + 1) return undefined
      return `truncation from ${fromIndex} in a log that ends at ${held.lastIndex}, with a snapshot at ${keptIndex}`
    }
    case "SnapshotMark":
      return markRefusalOf(body, held)
    case "Seal":
      return body.lastIndex === held.lastIndex ? undefined : `seal at ${body.lastIndex}, log ends at ${held.lastIndex}`
    case "HardState":
    case "DurableThrough":
      return undefined
  }
}

function markRefusalOf({ mark, restarts, firstSegment }: SnapshotMarkBody, held: LogIndex): string | undefined {
  const { index, term } = mark
  const segment = held.segments.at(-1)?.number ?? Number.POSITIVE_INFINITY
  const span = held.segments.find(({ number }) => number === firstSegment)
  const isReached = restarts || span === undefined || span.baseIndex <= index + 1
  if (firstSegment < held.neededSegment || firstSegment > segment || !isReached) {
    return `snapshot mark at ${index} for a log from segment ${firstSegment} on`
  }
  const newest = held.snapshot?.index ?? 0
  if (index < newest) return `snapshot mark at ${index} after one at ${newest}`
  if (restarts) return index > newest ? undefined : `restart at ${index} after a snapshot mark at ${newest}`
  if (index > held.lastIndex) return `snapshot mark at ${index} in a log that ends at ${held.lastIndex}`
  const found = termAt(held, index)
  // Of entries that were compacted away the term is not known any more.
  if (index < held.firstIndex - 1 || found === term) return undefined
  return `snapshot mark at ${index} of term ${term}, where an entry of term ${found} stands`
}

/** Takes in a record that stands at `place`. The caller has asked {@link refusalOf}. */
export function index(held: LogIndex, body: RecordBody, place: { segment: number; offset: number }): void {
  const refusal = refusalOf(body, held)
  invariant(refusal === undefined, `a record was taken in that the log refuses: ${refusal}`)
  switch (body._tag) {
    case "Entry": {
      const { index, term } = body.entry
      const last = held.anchors.at(-1)
      const isFar = last === undefined || place.offset - last.offset >= ANCHOR_SPACING_BYTES
      if (held.anchorNext || isFar || last.segment !== place.segment) held.anchors.push({ index, ...place })
      held.anchorNext = false
      if (held.termRuns.at(-1)?.term !== term) held.termRuns.push({ fromIndex: index, term })
      if (body.entry.type === "configuration") held.configurationIndexes.push(index)
      held.lastIndex = index
      return
    }
    case "TruncateFrom": {
      const { fromIndex } = body
      // The removed entries stay in the file: the next entry needs an anchor, so that no reader walks into them.
      while ((held.anchors.at(-1)?.index ?? 0) >= fromIndex) held.anchors.pop()
      while ((held.termRuns.at(-1)?.fromIndex ?? 0) >= fromIndex) held.termRuns.pop()
      held.configurationIndexes = held.configurationIndexes.filter((at) => at < fromIndex)
      held.lastIndex = fromIndex - 1
      held.anchorNext = true
      const span = held.segments.at(-1)
      if (span !== undefined) span.truncatedFromIndex = Math.min(span.truncatedFromIndex, fromIndex)
      return
    }
    case "SnapshotMark":
      held.snapshot = body.mark
      held.neededSegment = body.firstSegment
      if (body.restarts) restartAt(held, body.mark)
      else compactTo(held, body.firstSegment)
      return
    case "HardState":
      held.hardState = body.hardState
      return
    case "DurableThrough":
    case "Seal":
      return
  }
}

/** The position among the anchors of the last one at or below `atIndex`. */
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

/** The index as users of the log see it. */
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

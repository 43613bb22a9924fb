/** Decides which segments a log needs, and drops the others from its index. Pure: FileLog.ts removes the files. Raft §7. */
import type { SnapshotMark } from "./LogEntry.ts"
import type { LogIndex } from "./LogIndex.ts"
import type { SegmentHeader } from "./Segment.ts"

/** Takes in a segment, which gets the next records. A compacted log begins with a segment other than the first. */
export function enterSegment(held: LogIndex, header: Pick<SegmentHeader, "number" | "baseIndex" | "baseTerm">): void {
  const { baseIndex, baseTerm, number } = header
  if (held.segments.length === 0) {
    held.firstIndex = baseIndex
    held.lastIndex = baseIndex - 1
    held.previousTerm = baseTerm
  }
  held.segments.push({ number, baseIndex, baseTerm, truncatedFromIndex: Number.POSITIVE_INFINITY })
}

/**
 * The first segment that the log needs to keep all entries above `throughIndex`. A segment that truncates entries of
 * earlier ones cannot come first, since recovery would not know the truncated entries. The earlier ones then stay longer.
 */
export function firstSegmentAfter(held: LogIndex, throughIndex: number): number {
  let truncatedFromIndex = Number.POSITIVE_INFINITY
  for (const span of held.segments.toReversed()) {
    truncatedFromIndex = Math.min(truncatedFromIndex, span.truncatedFromIndex)
    const isKnown = span.baseTerm > 0 || span.baseIndex === 1
    if (isKnown && span.baseIndex <= throughIndex + 1 && truncatedFromIndex >= span.baseIndex) return span.number
  }
  return held.segments[0]?.number ?? 1
}

/** Forgets all entries in segments below `firstSegment`. */
export function compactTo(held: LogIndex, firstSegment: number): void {
  const position = held.segments.findIndex((span) => span.number >= firstSegment)
  if (position <= 0) return
  held.segments.splice(0, position)
  const { baseIndex, baseTerm } = held.segments[0]!
  held.firstIndex = baseIndex
  held.previousTerm = baseTerm
  dropBelow(held.anchors, (anchor) => anchor.segment < firstSegment)
  const nextRun = held.termRuns.findIndex((run) => run.fromIndex > baseIndex)
  held.termRuns.splice(0, (nextRun < 0 ? held.termRuns.length : nextRun) - 1)
  const firstRun = held.termRuns[0]
  if (firstRun !== undefined && firstRun.fromIndex < baseIndex) firstRun.fromIndex = baseIndex
  if (held.lastIndex < baseIndex) held.termRuns.length = 0
}

/** Forgets all entries. The log goes on behind the snapshot, in its current segment. */
export function restartAt(held: LogIndex, { index, term }: SnapshotMark): void {
  held.firstIndex = index + 1
  held.lastIndex = index
  held.previousTerm = term
  held.termRuns.length = 0
  held.anchors.length = 0
  held.anchorNext = true
  const number = held.segments.at(-1)?.number
  held.segments.length = 0
  if (number !== undefined) {
    const truncatedFromIndex = Number.POSITIVE_INFINITY
    held.segments.push({ number, baseIndex: index + 1, baseTerm: term, truncatedFromIndex })
  }
}

function dropBelow<A>(items: Array<A>, isBelow: (item: A) => boolean): void {
  const first = items.findIndex((item) => !isBelow(item))
  items.splice(0, first < 0 ? items.length : first)
}

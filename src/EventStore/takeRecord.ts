/** Takes one record after another into the index of a log, and refuses those that cannot follow. Pure. */
import { invariant } from "../Invariant.ts"
import { compactTo, restartAt } from "./Compaction.ts"
import { type LogIndex, termAt } from "./LogIndex.ts"
import type { RecordBody, SnapshotMarkBody } from "./Record.ts"

/** The bytes of records between two anchors: a segment of the default size has 256 of them. */
const ANCHOR_SPACING_BYTES = 64 * 1024

/** Says why `body` cannot follow the log, or undefined if it can. Writers ask before they write, readers after they read. */
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
  // Nobody knows the term of an entry that is compacted away.
  if (index < held.firstIndex - 1 || found === term) return undefined
  return `snapshot mark at ${index} of term ${term}, where an entry of term ${found} stands`
}

/** Takes a record that stands at `place` into the index. The log must not refuse it ({@link refusalOf}). */
export function takeRecord(held: LogIndex, body: RecordBody, place: { segment: number; offset: number }): void {
  const refusal = refusalOf(body, held)
  invariant(refusal === undefined, `a record is taken in that the log refuses: ${refusal}`)
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

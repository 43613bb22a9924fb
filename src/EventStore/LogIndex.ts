/** What a log holds, record by record: hard state, terms, and where entries stand. Pure; the caller owns the state it passes. */
import { invariant } from "../Invariant.ts"
import type { HardState } from "./LogEntry.ts"
import type { Recovered } from "./LogStore.ts"
import type { RecordBody } from "./Record.ts"

/** Where an entry stands: every anchor is the first place to look for the entries from its index up to the next anchor. */
export interface Anchor {
  readonly index: number
  readonly segment: number
  readonly offset: number
}

/** The sparse index of a log. Invariant: anchors and term runs ascend, and none lies past `lastIndex`. */
export interface LogIndex {
  hardState: HardState
  lastIndex: number
  readonly termRuns: Array<{ fromIndex: number; term: number }>
  readonly anchors: Array<Anchor>
  /** The next entry does not stand behind its predecessor, or too far from the last anchor: it gets one of its own. */
  anchorNext: boolean
}

/** One anchor for so many bytes of records: 256 to a segment of the default size. */
const ANCHOR_SPACING_BYTES = 64 * 1024

export function emptyLogIndex(): LogIndex {
  return {
    hardState: { currentTerm: 0, votedFor: undefined },
    lastIndex: 0,
    termRuns: [],
    anchors: [],
    anchorNext: true
  }
}

/** Why `body` cannot follow what the log holds; undefined when it can. Asked before writing and after reading alike. */
export function refusalOf(body: RecordBody, held: { readonly lastIndex: number }): string | undefined {
  switch (body._tag) {
    case "Entry":
      if (body.entry.index === held.lastIndex + 1) return undefined
      return `entry ${body.entry.index} follows entry ${held.lastIndex}`
    case "TruncateFrom":
      if (body.fromIndex >= 1 && body.fromIndex <= held.lastIndex + 1) return undefined
      return `truncation from ${body.fromIndex} in a log that ends at ${held.lastIndex}`
    case "Seal":
      return body.lastIndex === held.lastIndex ? undefined : `seal at ${body.lastIndex}, log ends at ${held.lastIndex}`
    case "HardState":
    case "DurableThrough":
      return undefined
  }
}

/** Takes in a record that stands at `place`. The caller has asked {@link refusalOf}. */
export function index(held: LogIndex, body: RecordBody, place: { segment: number; offset: number }): void {
  invariant(refusalOf(body, held) === undefined, "a record was taken in that the log refuses")
  switch (body._tag) {
    case "Entry": {
      const { index, term } = body.entry
      const last = held.anchors.at(-1)
      const isFar = last === undefined || place.offset - last.offset >= ANCHOR_SPACING_BYTES
      if (held.anchorNext || isFar || last.segment !== place.segment) held.anchors.push({ index, ...place })
      held.anchorNext = false
      if (held.termRuns.at(-1)?.term !== term) held.termRuns.push({ fromIndex: index, term })
      held.lastIndex = index
      return
    }
    case "TruncateFrom": {
      // The removed entries stay in the file: the next entry needs an anchor, so that no reader walks into them.
      while ((held.anchors.at(-1)?.index ?? 0) >= body.fromIndex) held.anchors.pop()
      while ((held.termRuns.at(-1)?.fromIndex ?? 0) >= body.fromIndex) held.termRuns.pop()
      held.lastIndex = body.fromIndex - 1
      held.anchorNext = true
      return
    }
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
  return {
    hardState: held.hardState,
    firstIndex: 1,
    lastIndex: held.lastIndex,
    termRuns: held.termRuns.map((run) => ({ ...run }))
  }
}

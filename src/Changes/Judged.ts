/**
 * What a change is to a reader who may read some records only, from what that reader could read before and can read after
 * it. Pure. A record that comes into sight is told as a record, one that goes out of sight as left, and a change that is
 * out of sight before and after is not told. docs/access.md.
 */
import type { Event } from "../Machine/Event.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Former } from "./Formers.ts"
import { shows, type View } from "./View.ts"

/** The views by which a change is judged. They are one view, unless what the reader may read has just changed. */
export interface Sight {
  /** What the reader has: all that this view showed at the entry `sinceIndex`. */
  readonly had: View
  readonly sinceIndex: number
  /** What the reader is told since: only what all of these views show. */
  readonly told: ReadonlyArray<View>
}

/** What a change is to the reader. `Unknown`: the reader may have a record that it may not read now, and nobody can tell. */
export type Verdict = "Told" | "Entered" | "Left" | "Hidden" | "Unknown"

/** Judges a change. `after` is the record after it, undefined if it cannot be read; of a deletion, the last record. */
export const verdictOf = (
  sight: Sight,
  { id, model, previousIndex, type }: Event,
  { after, before }: { readonly after: EncodedRecord | undefined; readonly before: Former | undefined }
): Verdict => {
  const isSeen = (views: ReadonlyArray<View>, record: EncodedRecord | undefined): boolean =>
    record !== undefined && views.every((view) => shows(view, { model, id, record }))
  const isHad = (record: EncodedRecord | undefined): boolean =>
    isSeen([sight.had], record) && (previousIndex <= sight.sinceIndex || isSeen(sight.told, record))
  const isVisible = isSeen(sight.told, after)
  switch (type) {
    case "created":
      return isVisible ? "Told" : "Hidden"
    case "deleted":
      if (!isHad(after)) return "Hidden"
      return isVisible ? "Told" : "Left"
    case "updated":
      if (before === undefined || before._tag === "Missing") return isVisible ? "Entered" : "Unknown"
      if (isVisible) return isHad(before.record) ? "Told" : "Entered"
      return isHad(before.record) ? "Left" : "Hidden"
  }
}

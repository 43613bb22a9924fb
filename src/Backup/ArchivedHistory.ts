/**
 * What the archives of a restore hold of the former log, for the history of records: the records of the state with which
 * they begin, and the entries after it. The events of these entries name those before them by their indexes, so the
 * entries keep theirs. docs/decisions/0040-history-from-archives.md.
 */
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Erasures } from "../Machine/Erasure.ts"
import type { Event } from "../Machine/Event.ts"
import type { Archived } from "../Machine/Restored.ts"
import * as FormerHistory from "./FormerHistory.ts"
import type { Archive } from "./ReadArchive.ts"
import { type Found, inNameOrder, type Kept, recordEntries, recordsOf } from "./RecordEntries.ts"
import type { StateAt } from "./Replay.ts"

/** What archives held: where it is, and its entries. */
export interface ArchivedHistory {
  readonly archived: Archived
  readonly kept: ReadonlyArray<Kept>
}

/** By the entry that made this version, then by name: Cluster/ArchivedRecords.ts looks a version up by that. */
const inOrder = (one: Found, other: Found): number => one.row.index - other.row.index || inNameOrder(one, other)

/** The version that a record had in the state. It names the entry that made it, which no archive holds. */
const versionOf = ({ id, model, row }: Found): Event => {
  const { createdIndex, data, index, modelVersion, version } = row
  const type = createdIndex === index ? "created" : "updated"
  return { type, model, modelVersion, id, version, previousIndex: index, data }
}

/**
 * What `archives`, which begin with `first`, hold through the entry `throughIndex`. The entries with records end at
 * `lastIndex`, and are of `term`. Nothing of a record is here that was erased later, and nothing of the time
 * before `retainedFrom`, which does not come back.
 */
export const ofArchives = Effect.fnUntraced(function* (
  archives: ReadonlyArray<Archive>,
  first: StateAt,
  options: {
    readonly throughIndex: number
    readonly lastIndex: number
    readonly term: number
    readonly erasures: Erasures
    /** The first entry of the former log that the state retains; 0 if it retains all. */
    readonly retainedFrom: number
  }
): Effect.fn.Return<ArchivedHistory, never, Scope.Scope> {
  const { erasures, lastIndex, retainedFrom, term, throughIndex } = options
  const stateIndex = first.index
  // By the version, and not by the state: an erasure that the restore applies comes right after the last change, and the
  // state's index may be above that, since a leader's first entry changes nothing.
  const isKept = ({ id, model, row }: Found): boolean => erasures.erasedAt(model, id) <= row.index
  const records = retainedFrom <= stateIndex ? recordsOf(first.tables).filter(isKept) : []
  const ofState = recordEntries(records.sort(inOrder), {
    state: first.tables,
    command: "ArchivedState",
    lastIndex,
    term,
    eventOf: versionOf
  })
  const fromIndex = Math.max(stateIndex + 1, retainedFrom)
  const entries = yield* FormerHistory.ofArchives(archives, { fromIndex, toIndex: throughIndex })
  return {
    archived: { stateIndex, throughIndex, firstIndex: ofState.fromIndex, lastIndex },
    kept: [entries, ofState]
  }
})

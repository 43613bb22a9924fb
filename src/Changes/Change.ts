/** The changes in the entries of a log, for those who follow some models. Pure but for the models' lifts. */
import { Result } from "effect"
import type { Named } from "../Machine/Erasure.ts"
import type { Event } from "../Machine/Event.ts"
import { type RecordUnreadable, unreadable } from "../Machine/ReadRow.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { isUpTo, nextEntry, type Position } from "./Position.ts"

/** One committed change of a record, as this release reads it. */
export interface Change {
  readonly _tag: "Change"
  readonly type: "created" | "updated" | "deleted"
  readonly position: Position
  /** When it was decided, by the clock of the node that decided it. It never decreases. */
  readonly timeMs: number
  readonly model: string
  readonly id: string
  readonly version: number
  /** The record after the change; after a deletion, the last one. Without fields that stay on a node. */
  readonly record: EncodedRecord
}

/** The erasure of a record. A follower that kept its data removes that now. */
export interface Erased {
  readonly _tag: "Erased"
  readonly position: Position
  readonly timeMs: number
  readonly model: string
  readonly id: string
}

/** The reader may not read the record any more, or it went out of the reader's sight. Nothing else is said of it. */
export interface Left {
  readonly _tag: "Left"
  readonly position: Position
  /** The index of the entry with which it left. */
  readonly index: number
  readonly model: string
  readonly id: string
}

/** An entry of a log. */
export interface Entry {
  readonly index: number
  readonly transaction: Transaction | undefined
}

/** The models that somebody follows, by name. */
export type Followed = ReadonlyMap<string, Descriptor>

const types: ReadonlyArray<string> = ["created", "updated", "deleted"]

/** Whether an event is a change of a record, and not of the form in which it is stored. */
export const isChange = ({ type }: { readonly type: string }): boolean => types.includes(type)

/** The changes of some entries after a position, and the position that has all of them. */
export interface Changes {
  readonly changes: ReadonlyArray<Change | Erased>
  readonly position: Position
}

/**
 * What an entry tells, in order: its events, then the erasures that it decides. Changes whose data was erased since are
 * left out, and so is the deletion that an erasure causes: the erasure says it.
 */
export const toldIn = ({ erased = [], events }: Transaction): ReadonlyArray<Event | Named | undefined> => [
  ...events.map((event) => (event.erased === true ? undefined : event)),
  ...erased
]

/**
 * Reads the changes of the models in entries that follow one another, from the next one after `from` on. It
 * stops after `maxCount` changes, and before a record that it cannot read; it fails only if there is nothing before that.
 */
export const changesOf = (
  followed: Followed,
  {
    entries,
    from,
    maxCount
  }: { readonly entries: ReadonlyArray<Entry>; readonly from: Position; readonly maxCount: number }
): Result.Result<Changes, RecordUnreadable> => {
  const changes: Array<Change | Erased> = []
  const { shown, view } = from
  const within = { ...(shown === undefined ? {} : { shown }), ...(view === undefined ? {} : { view }) }
  let position = from
  for (const { index, transaction } of entries) {
    const first = index === nextEntry(position) && position.index === index ? position.ordinal! + 1 : 0
    const told = transaction === undefined ? [] : toldIn(transaction)
    for (let ordinal = first; ordinal < told.length; ordinal++) {
      const event = told[ordinal]
      const descriptor = event === undefined ? undefined : followed.get(event.model)
      if (event === undefined || descriptor === undefined) continue
      if (shown !== undefined && !isUpTo(event, shown)) continue
      if (changes.length === maxCount) return Result.succeed({ changes, position })
      if (!("type" in event)) {
        position = { index, ordinal, ...within }
        const { id, model } = event
        changes.push({ _tag: "Erased", position, timeMs: transaction!.timeMs, model, id })
        continue
      }
      if (!isChange(event)) continue
      const record = showEvent(descriptor, event)
      if (Result.isFailure(record)) {
        return changes.length > 0 ? Result.succeed({ changes, position }) : Result.fail(record.failure)
      }
      position = { index, ordinal, ...within }
      const { id, model, type, version } = event
      const { timeMs } = transaction!
      changes.push({ _tag: "Change", type, position, timeMs, model, id, version, record: record.success })
    }
    position = { index, ...within }
  }
  return Result.succeed({ changes, position })
}

/** The record after an event, as this release reads it. */
export const showEvent = ({ read }: Descriptor, event: Event): Result.Result<EncodedRecord, RecordUnreadable> =>
  Result.mapBoth(read.record(event), { onFailure: unreadable(event), onSuccess: ({ shown }) => shown })

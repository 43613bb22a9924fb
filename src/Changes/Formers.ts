/**
 * Finds a record as it was before a change: whether the change moved it out of a reader's sight depends on that, and an
 * event has the record after it only. Each event names the entry of the record's event before it.
 */
import { Effect, Result } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Machine/Event.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"

/** The record before a change: what it was, if this release can read it, or that this node does not hold it any more. */
export type Former =
  | { readonly _tag: "Held"; readonly record: EncodedRecord | undefined }
  | { readonly _tag: "Missing" }

/** Finds the record before an event of a model that updated it. `index` is that of the entry that holds the event. */
export type FindFormer = (
  descriptor: Descriptor,
  event: Event,
  here: { readonly index: number; readonly transaction: Transaction }
) => Effect.Effect<Former, LogFailed | LogCorrupt>

/** All followers of a model ask for the same records, at about the same time. */
const keptMaxCount = 1_024
const keptMaxChars = 4 * 1024 * 1024

interface Kept {
  readonly former: Former
  readonly chars: number
}

/** Finds the records before the events of one log, and keeps the last ones that it found. */
export const make = (
  entry: (index: number) => Effect.Effect<Transaction | undefined, LogFailed | LogCorrupt>
): FindFormer => {
  const kept = new Map<string, Kept>()
  let keptChars = 0

  const keep = (key: string, former: Former, chars: number): void => {
    // A record that is missing may be there soon: the node may be fetching its history.
    if (former._tag === "Missing" || kept.has(key) || chars > keptMaxChars / 8) return
    kept.set(key, { former, chars })
    keptChars += chars
    for (const [oldest, { chars }] of kept) {
      if (kept.size <= keptMaxCount && keptChars <= keptMaxChars) break
      kept.delete(oldest)
      keptChars -= chars
    }
  }

  return (descriptor, event, here) =>
    Effect.suspend(() => {
      const { id, model, previousIndex, version } = event
      const within = previousIndex === here.index
      const key = JSON.stringify([model, id, version])
      const known = kept.get(key)
      if (known !== undefined) return Effect.succeed(known.former)
      return Effect.map(within ? Effect.succeed(here.transaction) : entry(previousIndex), (transaction): Former => {
        const before = transaction?.events.findLast(
          (each) => each.id === id && each.model === model && each.version < version
        )
        if (before === undefined) return { _tag: "Missing" }
        const isRecord = before.erased !== true && before.type !== "deleted"
        const record = isRecord
          ? Result.getOrUndefined(Result.map(descriptor.read.record(before), ({ shown }) => shown))
          : undefined
        const former: Former = { _tag: "Held", record }
        keep(key, former, record === undefined ? 0 : JSON.stringify(record).length)
        return former
      })
    })
}

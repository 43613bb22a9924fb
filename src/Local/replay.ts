/** Applies the entries of a log that its newest snapshot does not have. LocalSnapshots.ts and restoreMachine.ts restore. */
import { Effect } from "effect"
import type { LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import * as Machine from "../Machine/Machine.ts"

/** The payload that one read takes from disk. */
const replayMaxBytes = 1024 * 1024

/** Applies the entries after an index, by default the machine's, and returns the size of their payload. */
export const replay = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  store: LogStore["Service"],
  afterIndex = machine.applied.index
) {
  const toIndex = store.recovered.lastIndex
  let payloadBytes = 0
  for (let index = afterIndex + 1; index <= toIndex; ) {
    const entries = yield* store.read({ fromIndex: index, toIndex, maxBytes: replayMaxBytes })
    invariant(entries.length > 0, `entry ${index} of the log was not read`)
    for (const entry of entries) {
      invariant(entry.index === index, `entry ${entry.index} was read where ${index} was to be applied`)
      if (entry.type === "transaction") Machine.apply(machine, entry)
      payloadBytes += entry.payload.length
      index++
    }
  }
  return payloadBytes
})

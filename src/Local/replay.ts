/** Applies the entries of the node's own log that its newest snapshot does not have. Not restoring (LocalSnapshots.ts). */
import { Effect } from "effect"
import type { LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import * as Machine from "../Machine/Machine.ts"

/** The payload that one read takes from disk. */
const replayMaxBytes = 1024 * 1024

/** Applies the entries after the machine's applied index, and returns the size of their payload. */
export const replay = Effect.fnUntraced(function* (machine: Machine.Machine, store: LogStore["Service"]) {
  const toIndex = store.recovered.lastIndex
  let payloadBytes = 0
  for (let index = machine.applied.index + 1; index <= toIndex; ) {
    const entries = yield* store.read({ fromIndex: index, toIndex, maxBytes: replayMaxBytes })
    invariant(entries.length > 0, `entry ${index} of the node's own log was not read`)
    for (const entry of entries) {
      invariant(entry.index === index, `entry ${entry.index} was read where ${index} was to be applied`)
      Machine.apply(machine, entry)
      payloadBytes += entry.payload.length
      index++
    }
  }
  return payloadBytes
})

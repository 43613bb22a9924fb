/**
 * The only writer of a node's log. It writes the core's output in order, one write and sync at a time, while the next
 * batch forms. A batch is bounded, since encoding and checksums run without a pause.
 */
import { Effect, Queue } from "effect"
import type { LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import type { SequencedWrite } from "../core/Output.ts"

/** The payload after which a batch takes no further write. */
const batchMaxBytes = 4 * 1024 * 1024

export interface Writing {
  readonly add: (write: SequencedWrite) => void
  /** Writes all waiting output, and waits if there is none. */
  readonly next: Effect.Effect<void, LogFailed>
  /** When the current write began; undefined if there is none. */
  readonly beganMs: () => number | undefined
}

export const make = Effect.fnUntraced(function* (options: {
  readonly store: LogStore["Service"]
  /** In credited time, so that a pause of the process does not count as a stalled disk. */
  readonly nowMs: () => number
  readonly onPersisted: (seq: number) => void
}) {
  const waiting = yield* Queue.unbounded<SequencedWrite>()
  let beganMs: number | undefined

  const write = Effect.fnUntraced(function* (batch: ReadonlyArray<SequencedWrite>) {
    beganMs = options.nowMs()
    yield* options.store.append(batch)
    beganMs = undefined
    options.onPersisted(batch[batch.length - 1]!.seq)
  })

  const writing: Writing = {
    add: (write) => void Queue.offerUnsafe(waiting, write),
    next: Effect.flatMap(Queue.takeAll(waiting), (writes) =>
      Effect.forEach(inBatches(writes), write, { discard: true })
    ),
    beganMs: () => beganMs
  }
  return writing
})

/** Splits writes into as few batches as the bound allows, in order. A larger single write is a batch of its own. */
export const inBatches = (writes: ReadonlyArray<SequencedWrite>): ReadonlyArray<ReadonlyArray<SequencedWrite>> => {
  const batches: Array<Array<SequencedWrite>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const write of writes) {
    const writeBytes = write.entries.reduce((sum, { payload }) => sum + payload.length, 0)
    if (bytes + writeBytes > batchMaxBytes) {
      batches.push([])
      bytes = 0
    }
    batches[batches.length - 1]!.push(write)
    bytes += writeBytes
  }
  return batches
}

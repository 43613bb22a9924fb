/**
 * The one writer of a node: what the core writes goes to the log in order, one write and sync at a time, while the next
 * batch forms. A batch is bounded: its bytes are laid out and checksummed at once, and nothing else runs meanwhile.
 */
import { Effect, Queue } from "effect"
import type { LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import type { SequencedWrite } from "../core/Output.ts"

/** Payload after which a batch takes no further write. */
const batchMaxBytes = 4 * 1024 * 1024

export interface Writing {
  readonly add: (write: SequencedWrite) => void
  /** Writes whatever waits, waiting for it if there is none. */
  readonly next: Effect.Effect<void, LogFailed>
  /** When the write under way began; undefined while there is none. */
  readonly beganMs: () => number | undefined
}

export const make = Effect.fnUntraced(function* (options: {
  readonly store: LogStore["Service"]
  /** In the time that the core credits: a pause of the process is no stall of its disk. */
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

/** The writes in order, as few batches as their bound allows; a single larger write is one of its own. */
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

/**
 * The only writer of a node's log. It writes the core's output in order, one batch at a time, while the next batch
 * forms: group commit without a timer. A batch is bounded, since encoding and checksums run without a pause. After a
 * failure it writes nothing more.
 */
import { Cause, Effect, Exit } from "effect"
import type { LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import type { SequencedWrite } from "../core/Output.ts"

/** The payload after which a batch takes no further write. */
const batchMaxBytes = 4 * 1024 * 1024

export interface LogWriter {
  /** Adds a write, which the next batch takes. */
  readonly add: (write: SequencedWrite) => void
  /** Begins a batch of all that waits, unless one is under way: then the next one begins when that is over. */
  readonly flush: () => void
  /** Begins no other batch: the node has stopped, or its log is about to close. */
  readonly end: () => void
  /** When the current batch began; undefined if there is none. */
  readonly beganMs: () => number | undefined
}

export const make = (options: {
  readonly store: Pick<LogStore["Service"], "append" | "appendNow">
  /** In credited time, so that a pause of the process does not count as a stalled disk. */
  readonly nowMs: () => number
  /** A write begins. Call what this returns once it is durable. */
  readonly syncing: () => () => void
  /** The write `seq`, and every write before it, is durable. It may be called within {@link LogWriter.flush}. */
  readonly onPersisted: (seq: number) => void
  /** The log failed, or a defect followed a batch. */
  readonly onFailed: (cause: Cause.Cause<LogFailed>) => void
  readonly fork: (effect: Effect.Effect<void>) => void
}): LogWriter => {
  const { store } = options
  const waiting: Array<SequencedWrite> = []
  let beganMs: number | undefined
  let isOver = false

  const fail = (cause: Cause.Cause<LogFailed>): void => {
    beganMs = undefined
    isOver = true
    options.onFailed(cause)
  }

  const flush = (): void => {
    if (beganMs !== undefined || isOver || waiting.length === 0) return
    const batch = takeBatch(waiting)
    const { seq } = batch[batch.length - 1]!
    const synced = options.syncing()
    const ended = (exit: Exit.Exit<void, LogFailed>): void => {
      if (Exit.isFailure(exit)) {
        fail(exit.cause)
        return
      }
      beganMs = undefined
      // The log or a fiber calls this, and neither of them stops the node after a defect.
      try {
        synced()
        options.onPersisted(seq)
        flush()
      } catch (defect) {
        fail(Cause.die(defect))
      }
    }
    beganMs = options.nowMs()
    if (!store.appendNow(batch, ended)) options.fork(Effect.map(Effect.exit(store.append(batch)), ended))
  }

  return {
    add: (write) => void waiting.push(write),
    flush,
    end: () => {
      isOver = true
    },
    beganMs: () => beganMs
  }
}

/** Takes the first writes, as many as the bound allows and at least one. */
const takeBatch = (waiting: Array<SequencedWrite>): ReadonlyArray<SequencedWrite> => {
  let bytes = 0
  let count = 0
  for (const { entries } of waiting) {
    for (const { payload } of entries) bytes += payload.length
    if (count > 0 && bytes > batchMaxBytes) break
    count += 1
  }
  return waiting.splice(0, count)
}

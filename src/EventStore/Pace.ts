/**
 * The pace of large work in the background: it rests after each piece, so that the log's own writes and syncs, and the
 * requests that wait for the thread, come between. Measured in docs/decisions/0009-background-work-rests.md.
 */
import { Clock, Effect } from "effect"

/** The bytes that are written and synced at once. A sync of more would hold up those of the log. */
export const SYNCED_AT_ONCE_BYTES = 512 * 1024

/** The rest is so many times the work before it: work takes a fifth of the thread and of the disk at most. */
const RESTS_PER_WORK = 4
/** A busy thread makes each piece long. The rest has a bound all the same, so that the work comes to its end. */
const REST_MAX_MS = 20

/** An effect to run between two pieces of the work that begins now. */
export const rests = Effect.map(Clock.Clock, (clock) => {
  let resumedNanos = clock.monotonicTimeNanosUnsafe()
  return Effect.suspend(() => {
    const workedMs = Number(clock.monotonicTimeNanosUnsafe() - resumedNanos) / 1e6
    return Effect.sleep(Math.min(Math.ceil(workedMs * RESTS_PER_WORK), REST_MAX_MS))
  }).pipe(
    Effect.tap(() =>
      Effect.sync(() => {
        resumedNanos = clock.monotonicTimeNanosUnsafe()
      })
    )
  )
})

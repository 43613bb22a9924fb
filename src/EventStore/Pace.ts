/**
 * The pace of large work in the background: it rests after each piece, so that the log's own writes and syncs, and the
 * requests that wait for the thread, come between. Measured in docs/decisions/0009-background-work-rests.md.
 */
import { Clock, Effect } from "effect"

/** The bytes that are written and synced at once. A sync of more would hold up those of the log. */
export const SYNCED_AT_ONCE_BYTES = 512 * 1024

/** How long work rests: so many times as long as the piece before, within a bound. */
export interface Pace {
  readonly restsPerWork: number
  /** A busy thread makes each piece long. The rest has a bound all the same, so that the work comes to its end. */
  readonly restMaxMs: number
}

/** Work takes a fifth of the thread and of the disk at most. */
const fifth: Pace = { restsPerWork: 4, restMaxMs: 20 }

/** An effect to run between two pieces of the work that begins now, at this pace. */
export const restsOf = ({ restMaxMs, restsPerWork }: Pace) =>
  Effect.map(Clock.Clock, (clock) => {
    let resumedNanos = clock.monotonicTimeNanosUnsafe()
    return Effect.suspend(() => {
      const workedMs = Number(clock.monotonicTimeNanosUnsafe() - resumedNanos) / 1e6
      return Effect.sleep(Math.min(Math.ceil(workedMs * restsPerWork), restMaxMs))
    }).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          resumedNanos = clock.monotonicTimeNanosUnsafe()
        })
      )
    )
  })

/** An effect to run between two pieces of the work that begins now. */
export const rests = restsOf(fifth)

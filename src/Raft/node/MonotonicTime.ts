/** Monotonic time, which no one can set: for durations and deadlines, not for dates. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since a fixed moment of this process. Jumps of the wall clock change nothing (C19). */
export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n)
)

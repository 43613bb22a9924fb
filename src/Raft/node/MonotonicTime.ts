/** Time that passes and is never set: how long something took, or may take. Not what day it is. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment of this process's own: jumps of the wall clock change nothing (C19). */
export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n)
)

/** Runs a long computation in slices, so that requests and messages have their turn between two of them. */
import { Clock, Effect } from "effect"

const sliceNanos = 10_000_000n

/** Runs a computation that pauses often, and returns its result. */
export const inSlices = Effect.fnUntraced(function* <A>(computation: Generator<undefined, A>) {
  const clock = yield* Clock.Clock
  let endNanos = clock.monotonicTimeNanosUnsafe() + sliceNanos
  for (;;) {
    const step = computation.next()
    if (step.done === true) return step.value
    if (clock.monotonicTimeNanosUnsafe() < endNanos) continue
    yield* Effect.yieldNow
    endNanos = clock.monotonicTimeNanosUnsafe() + sliceNanos
  }
})

/** Waits until a condition of a node is true. Each change of the node checks the waiting conditions again. */
import * as Effect from "effect/Effect"

export interface Condition {
  /** Something may have changed. It wakes callers whose condition is now true, and they continue after it returns. */
  readonly changed: () => void
  /** Waits until `holds` returns true. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
}

interface Waiter {
  readonly holds: () => boolean
  readonly resume: () => void
}

export const make = (): Condition => {
  const waiting = new Set<Waiter>()
  const wait = (holds: () => boolean) =>
    Effect.callback<void>((resume) => {
      const waiter = { holds, resume: () => resume(Effect.void) }
      waiting.add(waiter)
      return Effect.sync(() => waiting.delete(waiter))
    })
  // Without the yield, the caller would continue within `changed`, in the middle of a turn. By the time it continues,
  // the condition may be false again.
  const until = (holds: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() =>
      holds() ? Effect.void : wait(holds).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(until(holds)))
    )
  return {
    changed: () => {
      if (waiting.size === 0) return
      for (const waiter of [...waiting]) {
        if (!waiter.holds()) continue
        waiting.delete(waiter)
        waiter.resume()
      }
    },
    until
  }
}

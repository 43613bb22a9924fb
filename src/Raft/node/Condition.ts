/** Something of a node that may come true, and those who wait until it does: asked again whenever it may have changed. */
import { Effect } from "effect"

export interface Condition {
  /** It may have changed: those who wait for what holds now go on, and nobody else is woken. */
  readonly changed: () => void
  /** Waits until this holds. */
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
  // By the time that one goes on, it may not hold any more.
  const until = (holds: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(wait(holds), until(holds))))
  return {
    changed: () => {
      for (const waiter of [...waiting]) {
        if (!waiter.holds()) continue
        waiting.delete(waiter)
        waiter.resume()
      }
    },
    until
  }
}

/** Something of a node that may come true, and those who wait until it does: asked again whenever it may have changed. */
import { Deferred, Effect, Exit } from "effect"

export interface Condition {
  /** It may have changed: all who wait look again. */
  readonly changed: () => void
  /** Waits until this holds. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
}

export const make = (): Condition => {
  let change = Deferred.makeUnsafe<void>()
  const until = (holds: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Deferred.await(change), until(holds))))
  return {
    changed: () => {
      const waiting = change
      change = Deferred.makeUnsafe<void>()
      Deferred.doneUnsafe(waiting, Exit.void)
    },
    until
  }
}

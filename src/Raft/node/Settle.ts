/**
 * Requests without a fiber: a function begins one, and tells `settle` its outcome. An Effect wraps such a function where
 * requests are composed. Inside the node, plain callbacks cost a fraction of a fiber with its timer and its race.
 */
import { Effect, Exit, type Fiber } from "effect"

/**
 * Takes the outcome of a request: once, and perhaps before the function that began the request returns. It must not
 * throw, since the loops of the node call it.
 */
export type Settle<A, E> = (exit: Exit.Exit<A, E>) => void

/** Gives a request up: `settle` is not called any more. Does nothing after the outcome. */
export type Forget = () => void

/** Begins a request. */
export type Begin<A, E> = (settle: Settle<A, E>) => Forget

/** Keeps a defect of `settle` out of the node's loops, which call it. A client's request must not stop a node. */
export const guarded =
  <A, E>(settle: Settle<A, E>, onDefect: (defect: unknown) => void): Settle<A, E> =>
  (exit) => {
    try {
      settle(exit)
    } catch (defect) {
      onDefect(defect)
    }
  }

/** Begins a request and changes its outcome. A defect of `change` becomes the outcome. */
export const mapOutcome =
  <A, E, B, F>(begin: Begin<A, E>, change: (exit: Exit.Exit<A, E>) => Exit.Exit<B, F>): Begin<B, F> =>
  (settle) =>
    begin((exit) => {
      let changed: Exit.Exit<B, F>
      try {
        changed = change(exit)
      } catch (defect) {
        changed = Exit.die(defect)
      }
      settle(changed)
    })

/** {@link mapOutcome} for a request that succeeds. A failure stays as it is. */
export const flatMapOutcome = <A, E, B, F>(begin: Begin<A, E>, next: (value: A) => Exit.Exit<B, F>): Begin<B, E | F> =>
  mapOutcome(
    begin,
    (exit): Exit.Exit<B, E | F> => (Exit.isSuccess(exit) ? next(exit.value) : Exit.failCause(exit.cause))
  )

const nothingToForget: Forget = () => {}

/** Settles a request at once. */
export const settleNow = <A, E>(settle: Settle<A, E>, exit: Exit.Exit<A, E>): Forget => {
  settle(exit)
  return nothingToForget
}

/**
 * Begins a request, and calls `end` when it is over: before its outcome is told, or when it is given up. A request that
 * is given up late ends twice.
 */
export const endingBy = <A, E>(end: () => void, begin: Begin<A, E>, settle: Settle<A, E>): Forget => {
  const forget = begin((exit) => {
    end()
    settle(exit)
  })
  return () => {
    forget()
    end()
  }
}

/** Waits for the outcome of a request. Interruption gives it up. */
export const outcomeOf = <A, E>(begin: Begin<A, E>): Effect.Effect<A, E> =>
  Effect.callback((resume) => Effect.sync(begin(resume)))

/** Runs an effect in a fiber of the node, which ends with the node. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Begins an effect as a request, where a request is rare or needs a fiber. */
export const beginEffect = <A, E>(fork: Fork, effect: Effect.Effect<A, E>, settle: Settle<A, E>): Forget => {
  const fiber = fork(effect)
  const ignore = fiber.addObserver(settle)
  return () => {
    ignore()
    fiber.interruptUnsafe()
  }
}

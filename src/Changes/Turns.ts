/**
 * Shares the thread between the followers of a node and its other work: all followers together take a third of it at
 * most while they are many or far behind. The more of them there are, the more changes each gets in one step.
 */
import { Clock, Effect, Semaphore } from "effect"

/** How long followers may work before they rest, and for how long they rest then. */
const sliceNanos = 1_000_000n
const restMs = 2
/** What a step costs outside of its turn: its reader takes what it got, and waits again. */
const stepNanos = 40_000n
/** The most steps at once. Those that read from disk wait for it, and an entry may have megabytes. */
const stepsMaxCount = 4

/** Runs a step of a follower when it is its turn. */
export type InTurn = <A, E, R>(step: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Makes the turns of one node. */
export const make: Effect.Effect<InTurn> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const nowNanos = () => clock.monotonicTimeNanosUnsafe()
  const steps = yield* Semaphore.make(stepsMaxCount)
  let usedNanos = 0n
  let restEndNanos = nowNanos()

  const rested = Effect.suspend(() => {
    const leftNanos = restEndNanos - nowNanos()
    return leftNanos > 0n ? Effect.sleep(Math.ceil(Number(leftNanos) / 1e6)) : Effect.void
  })
  const note = (beganNanos: bigint): void => {
    usedNanos += nowNanos() - beganNanos + stepNanos
    if (usedNanos < sliceNanos) return
    usedNanos = 0n
    restEndNanos = nowNanos() + BigInt(restMs) * 1_000_000n
  }
  return (step) =>
    steps.withPermit(
      Effect.andThen(
        rested,
        Effect.suspend(() => {
          const beganNanos = nowNanos()
          return Effect.ensuring(
            step,
            Effect.sync(() => note(beganNanos))
          )
        })
      )
    )
})

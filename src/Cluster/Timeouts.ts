/**
 * The time limits of this node's requests in one list. One fiber sweeps it while it is not empty, so that a request that
 * is answered in time needs no timer of its own.
 */
import { type Clock, Effect } from "effect"
import * as Deadlines from "../Raft/node/Deadlines.ts"

/** How often the list is swept. A limit is noticed that much later at most. */
const sweepIntervalMs = 5

export interface Timeouts {
  /** The monotonic time. */
  readonly nowMs: () => number
  /** Calls `expire` once the time is `atMs`, unless the number that this returns is removed before. */
  readonly add: (atMs: number, expire: () => void) => number
  readonly remove: (number: number) => void
}

export const make = (options: {
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
}): Timeouts => {
  const { clock, fork } = options
  const deadlines = Deadlines.make<() => void>()
  let isSwept = false
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

  const sweep = (): void => {
    for (const { number, request: expire } of Deadlines.overdue(deadlines, nowMs())) {
      if (Deadlines.remove(deadlines, number)) expire()
    }
    isSwept = deadlines.waiting.size > 0
  }
  const sweeping = Effect.sync(sweep).pipe(
    Effect.delay(sweepIntervalMs),
    Effect.repeat({ while: () => isSwept }),
    Effect.asVoid
  )

  return {
    nowMs,
    add: (atMs, expire) => {
      const number = Deadlines.add(deadlines, expire, atMs)
      if (isSwept) return number
      isSwept = true
      fork(sweeping)
      return number
    },
    remove: (number) => {
      Deadlines.remove(deadlines, number)
    }
  }
}

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
  /** Calls `expire` once the time is `atMs`, unless it is removed before. Each call has a function of its own. */
  readonly add: (atMs: number, expire: () => void) => void
  readonly remove: (expire: () => void) => void
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
    for (const expire of Deadlines.overdue(deadlines, nowMs())) {
      if (Deadlines.remove(deadlines, expire)) expire()
    }
    isSwept = deadlines.byRequest.size > 0
  }
  const sweeping = Effect.sync(sweep).pipe(
    Effect.delay(sweepIntervalMs),
    Effect.repeat({ while: () => isSwept }),
    Effect.asVoid
  )

  return {
    nowMs,
    add: (atMs, expire) => {
      Deadlines.add(deadlines, expire, atMs)
      if (isSwept) return
      isSwept = true
      fork(sweeping)
    },
    remove: (expire) => {
      Deadlines.remove(deadlines, expire)
    }
  }
}

/**
 * How old a log is: the time for which its cluster has run, by the leaders' monotonic clocks, carried in entries. Pure.
 * What expires by it does not expire sooner because a wall clock jumps. C17, C19.
 *
 * An entry says the age at which it was decided. Whoever applies it knows from then on that the log is at least so old,
 * and older by what passes on its own clock: the age goes on across leaders, and never runs ahead of time itself. What
 * passes while no node runs is not counted.
 */

/** What one node knows of the age of its log. Owned and changed in place. */
export interface LogAge {
  /** The age less this node's monotonic time: the greatest that an entry has proven. */
  offsetMs: number
  /** The age at the moment that was last told. */
  nowMs: number
}

/** Of a log of which nothing is known yet. */
export const make = (): LogAge => ({ offsetMs: Number.NEGATIVE_INFINITY, nowMs: 0 })

/** It is `monotonicMs` here, and an entry of the age `appliedMs` is applied: to be told after it was, never before. */
export const pass = (
  age: LogAge,
  { appliedMs, monotonicMs }: { readonly appliedMs: number; readonly monotonicMs: number }
): void => {
  age.offsetMs = Math.max(age.offsetMs, appliedMs - monotonicMs)
  age.nowMs = monotonicMs + age.offsetMs
}

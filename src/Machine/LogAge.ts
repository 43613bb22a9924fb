/**
 * The age of a log: the time for which its cluster has run, by the leaders' monotonic clocks, carried in entries. Pure.
 * A jump of a wall clock makes nothing expire sooner. C17, C19.
 *
 * An entry carries the age at which it was decided. A node that applies it knows that the log is at least that old, and
 * adds the time on its own clock. So the age continues across leaders, and never runs ahead of time itself. Time while
 * no node runs is not counted.
 */

/** One node's knowledge of its log's age. Owned and changed in place. */
export interface LogAge {
  /** The age minus this node's monotonic time: the greatest that an entry has proved. */
  offsetMs: number
  /** The age at the last update. */
  nowMs: number
}

/** The age of a log of which nothing is known yet. */
export const make = (): LogAge => ({ offsetMs: Number.NEGATIVE_INFINITY, nowMs: 0 })

/**
 * Advances the age to `monotonicMs` after an entry of the age `appliedMs` was applied. Call it after the entry, never
 * before.
 */
export const pass = (
  age: LogAge,
  { appliedMs, monotonicMs }: { readonly appliedMs: number; readonly monotonicMs: number }
): void => {
  age.offsetMs = Math.max(age.offsetMs, appliedMs - monotonicMs)
  age.nowMs = monotonicMs + age.offsetMs
}

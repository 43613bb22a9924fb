/**
 * Durations counted in buckets of fixed bounds. Recording one costs a few comparisons and two additions, and allocates
 * nothing, so hot paths can afford it. Http/Metrics.ts shows them to Prometheus.
 */

/** The upper bounds of the buckets, in seconds. One more bucket takes all that is longer. */
export const boundsSeconds: ReadonlyArray<number> = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
]

/** Durations since the node started. */
export interface Histogram {
  /** How many durations fell into each bucket, the last one being for those above all bounds. */
  readonly counts: Float64Array
  sumSeconds: number
}

export const make = (): Histogram => ({ counts: new Float64Array(boundsSeconds.length + 1), sumSeconds: 0 })

/** Counts one duration. A clock that went back counts as no time. */
export const record = (histogram: Histogram, seconds: number): void => {
  const { counts } = histogram
  let at = 0
  while (at < boundsSeconds.length && seconds > boundsSeconds[at]!) at++
  counts[at]! += 1
  if (seconds > 0) histogram.sumSeconds += seconds
}

/** The time between two readings of a monotonic clock in nanoseconds, in seconds. */
export const secondsBetween = (beganNanos: bigint, endedNanos: bigint): number => Number(endedNanos - beganNanos) / 1e9

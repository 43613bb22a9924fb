/**
 * Token buckets by key, in a table of bounded size. A bucket is one number, the moment at which it is full again (the
 * generic cell rate algorithm, ITU-T I.371 Annex A): a full bucket is the same as none, so old ones may be forgotten. Pure.
 */

import { Generations } from "./Generations.ts"

/** How fast a bucket fills. */
export interface Rate {
  /** Tokens that come in a second. */
  readonly perSecond: number
  /** The most tokens that a bucket holds: so many requests may come at once. */
  readonly burst: number
}

/** Buckets of one rate. */
export interface TokenBuckets {
  /** Takes a token. Returns 0, or in how many ms there will be one. */
  readonly take: (key: string, nowMs: number) => number
  /** In how many ms there will be a token; 0 if there is one. */
  readonly waitMs: (key: string, nowMs: number) => number
  /** Takes a token that may not be there yet. A bucket never owes more than it holds. */
  readonly charge: (key: string, nowMs: number) => void
  /** Whether every bucket is full, as far as the table knows. */
  readonly isEmpty: () => boolean
  /** How many keys the table holds: at most two generations. */
  readonly size: () => number
}

/** The most keys of a generation. A table holds two, in some 6 MB. */
export const generationMaxCount = 16_384

/**
 * Makes the buckets. A full generation replaces the one before it, whose buckets are then full again: so somebody who sends
 * from more addresses than two generations hold gets a burst for each, and makes the table no larger.
 */
export const make = ({ burst, perSecond }: Rate): TokenBuckets => {
  const intervalMs = 1000 / perSecond
  const wholeMs = burst * intervalMs
  const fullMsOf = new Generations<number>(generationMaxCount)

  /** When the bucket is full, or was. */
  const fullMs = (key: string, nowMs: number): number => Math.max(fullMsOf.get(key) ?? 0, nowMs)
  const waitOf = (atMs: number, nowMs: number): number => Math.max(0, atMs + intervalMs - wholeMs - nowMs)

  return {
    take: (key, nowMs) => {
      const atMs = fullMs(key, nowMs)
      const waitMs = waitOf(atMs, nowMs)
      if (waitMs === 0) fullMsOf.put(key, atMs + intervalMs)
      return waitMs
    },
    waitMs: (key, nowMs) => waitOf(fullMs(key, nowMs), nowMs),
    charge: (key, nowMs) => fullMsOf.put(key, Math.min(fullMs(key, nowMs) + intervalMs, nowMs + 2 * wholeMs)),
    isEmpty: () => fullMsOf.size === 0,
    size: () => fullMsOf.size
  }
}

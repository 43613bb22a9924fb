/**
 * Where the log of a restored cluster begins. Pure. No index and no version may name two states, and nobody can ask the
 * former cluster, or another restore of the same archive, how far they have come. So the log begins far above: by the
 * clock, and at random. docs/decisions/0016-where-a-restored-log-begins.md.
 */
import { Result } from "effect"

/** The least distance to the last index that is known of the former log. */
const gapCount = 2 ** 32
/** The clock moves the base by so much in a second: more than a log writes. */
const perSecondCount = 2 ** 20
/** The base is up to so much further: two restores at the same moment are apart. */
export const spreadCount = 2 ** 40
/** Dated keys hold an index of ten digits in base 36 (Machine/DatedKey.ts). */
const baseMax = 36 ** 10 - 2 ** 45

/** Why a log cannot begin now. */
export const clockBehind = (lastTimeMs: number, nowMs: number): string =>
  `the clock of this machine says ${new Date(nowMs).toISOString()}, and the last entry was decided at ${new Date(lastTimeMs).toISOString()}: set the clock right first`

/**
 * The index that stands for all of the former log. The log's next entry follows it, and so does every version. `random`
 * is from 0 up to 1.
 */
export const baseAfter = (options: {
  readonly lastIndex: number
  readonly lastTimeMs: number
  readonly nowMs: number
  readonly random: number
}): Result.Result<number, string> => {
  const { lastIndex, lastTimeMs, nowMs, random } = options
  if (nowMs < lastTimeMs) return Result.fail(clockBehind(lastTimeMs, nowMs))
  const byClock = Math.floor(nowMs / 1000) * perSecondCount
  // Later restores of one archive begin later, whichever of the two is greater.
  const sinceLast = Math.floor((nowMs - lastTimeMs) / 1000) * perSecondCount
  const base = Math.max(byClock, lastIndex + gapCount + sinceLast) + Math.floor(random * spreadCount)
  return base <= baseMax
    ? Result.succeed(base)
    : Result.fail(`the base ${base} would pass the highest index, ${baseMax}`)
}

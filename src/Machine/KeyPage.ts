/**
 * Pages of dated keys in a snapshot of format 3: digests in base64, and indexes as distances, a quarter of what a piece for
 * each key would take. Pure. DatedKeys.ts.
 */
import { Result } from "effect"
import * as DatedKeys from "./DatedKeys.ts"
import { digestLength } from "./KeyDigest.ts"
import type * as StateHash from "./StateHash.ts"

/** Keys of one bucket, in the order of their entries. The first distance is the first index itself. */
export interface KeyPage {
  readonly bucket: number
  readonly digests: string
  readonly distances: ReadonlyArray<number>
  /** Present if a generation ends with the last key. */
  readonly endsGeneration?: true
}

/** The most keys in a page. */
const keysMaxCount = 512

/** The pages of all keys. */
export function* pagesOf(keys: DatedKeys.DatedKeys): Generator<KeyPage> {
  let digests = ""
  let distances: Array<number> = []
  let bucket = 0
  let last = 0
  const page = (ends: boolean): KeyPage => {
    const taken = { bucket, digests: Buffer.from(digests, "latin1").toString("base64"), distances }
    digests = ""
    distances = []
    last = 0
    return ends ? { ...taken, endsGeneration: true } : taken
  }
  for (const key of DatedKeys.entries(keys)) {
    if (distances.length > 0 && (key.bucket !== bucket || distances.length === keysMaxCount)) yield page(false)
    bucket = key.bucket
    digests += key.digest
    distances.push(key.index - last)
    last = key.index
    if (key.endsGeneration) yield page(true)
  }
  if (distances.length > 0) yield page(false)
}

/** Holds the keys of a page. */
export const hold = (
  keys: DatedKeys.DatedKeys,
  page: KeyPage,
  hash: StateHash.StateHash
): Result.Result<void, string> => {
  const { bucket, distances, endsGeneration } = page
  const digests = Buffer.from(page.digests, "base64")
  if (digests.length !== distances.length * digestLength) {
    return Result.fail("Cannot read snapshot: a page of keys has not as many digests as indexes")
  }
  let index = 0
  for (const [at, distance] of distances.entries()) {
    index += distance
    const digest = digests.toString("latin1", at * digestLength, (at + 1) * digestLength)
    DatedKeys.hold(keys, { bucket, digest, index }, hash)
  }
  if (endsGeneration === true) DatedKeys.endGeneration(keys, bucket, hash)
  return Result.void
}

/**
 * What a log of format 3 remembers of a key's name, and the bucket of its holder. Pure. C17. Neither changes: every node
 * must find the same.
 */
import { hash } from "node:crypto"
import * as StateHash from "./StateHash.ts"

/** The number of buckets. A holder shares its bucket with one in so many others. */
const bucketsCount = 4_096

/** The characters of a digest, each one byte. */
export const digestLength = 16

/** The digests of the last names. A leader needs that of a request thrice: to decide, to decide after it, and to apply. */
const lately = new Map<string, string>()
const latelyMaxCount = 1_024

/** Where a digest is cut. A part of a text would keep the whole text in memory. */
const cut = Buffer.alloc(digestLength)

/**
 * 128 bits of SHA-256, so that nobody finds a key of his own that another holder's key is taken for. As a text of single
 * bytes it costs a map half of what hexadecimal digits cost.
 */
export const digestOf = (name: string): string => {
  const known = lately.get(name)
  if (known !== undefined) return known
  cut.write(hash("sha256", name, "binary"), "latin1")
  const digest = cut.toString("latin1")
  if (lately.size >= latelyMaxCount) lately.clear()
  lately.set(name, digest)
  return digest
}

/** The bucket of a holder of keys. Callers without a name are one holder, in a bucket of its own. */
export const bucketOf = (holder: string | undefined): number =>
  holder === undefined ? 0 : 1 + (StateHash.of(`holder ${holder}`)[0]! % (bucketsCount - 1))

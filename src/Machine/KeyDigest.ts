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

/**
 * Digests of the last names, each in the one place that its last characters give it. A leader needs that of a request
 * thrice: to decide, to decide after it, and to apply. A map would take longer for a name than SHA-256 does.
 */
const latelyCount = 1_024
const latelyNames: Array<string | undefined> = Array.from({ length: latelyCount }, () => undefined)
const latelyDigests: Array<string> = Array.from({ length: latelyCount }, () => "")

/** The end of a dated key is a fingerprint. */
const placeOf = (name: string): number => {
  const { length } = name
  const end = 37 * name.charCodeAt(length - 1) + 5 * name.charCodeAt(length - 2) + name.charCodeAt(length - 3)
  return end & (latelyCount - 1)
}

/** The first characters as a text of their own: a part of a text would keep the whole text in memory. */
const cut = (text: string): string => {
  const codes: Array<number> = []
  for (let at = 0; at < digestLength; at++) codes.push(text.charCodeAt(at))
  return String.fromCharCode(...codes)
}

/**
 * 128 bits of SHA-256, so that nobody finds a key of his own that another holder's key is taken for. As a text of single
 * bytes it costs a map half of what hexadecimal digits cost.
 */
export const digestOf = (name: string): string => {
  const place = placeOf(name)
  if (latelyNames[place] === name) return latelyDigests[place]!
  const digest = cut(hash("sha256", name, "binary"))
  latelyNames[place] = name
  latelyDigests[place] = digest
  return digest
}

/** The bucket of a holder of keys. Callers without a name are one holder, in a bucket of its own. */
export const bucketOf = (holder: string | undefined): number =>
  holder === undefined ? 0 : 1 + (StateHash.of(`holder ${holder}`)[0]! % (bucketsCount - 1))

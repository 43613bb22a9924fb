/**
 * Under which name the state of a key is kept: the key itself, or, where that is long, its first characters and its
 * digest. Keys are data that clients send: none may stop a projection. Pure, and alike on every node and runtime.
 */
import { createHash } from "node:crypto"

/** UTF-16 units of a name: what goes from page to page by key fits into a request's head. */
export const keyNameMaxLength = 512

const digestLength = 64
const mark = "~"

/** The name of a key. A name is its own name, so that a state is found by either. */
export const nameOfKey = (key: string): string => {
  if (key.length <= keyNameMaxLength) return key
  const length = keyNameMaxLength - mark.length - digestLength
  // The first half of a surrogate pair alone would be no text any more.
  const isSplit = (key.codePointAt(length - 1) ?? 0) > 0xffff
  // Of UTF-16 units: a lone surrogate has no UTF-8 of its own.
  const digest = createHash("sha256").update(Buffer.from(key, "utf16le")).digest("hex")
  return `${key.slice(0, isSplit ? length - 1 : length)}${mark}${digest}`
}

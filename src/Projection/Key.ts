/**
 * The name of a key's state: the key itself or, if that is long, its first characters and a digest. Clients send keys, so
 * no key may stop a projection. Pure, and equal on every node and runtime.
 */
import { createHash } from "node:crypto"

/** The most UTF-16 units of a name. A cursor with a name must fit into a request's head. */
export const keyNameMaxLength = 512

const digestLength = 64
const mark = "~"

/** The name of a key. The name of a name is the same name, so that both find the state. */
export const nameOfKey = (key: string): string => {
  if (key.length <= keyNameMaxLength) return key
  const length = keyNameMaxLength - mark.length - digestLength
  // Do not cut a surrogate pair in half: the result would not be valid text.
  const isSplit = (key.codePointAt(length - 1) ?? 0) > 0xffff
  // Hash UTF-16 units: a lone surrogate has no UTF-8.
  const digest = createHash("sha256").update(Buffer.from(key, "utf16le")).digest("hex")
  return `${key.slice(0, isSplit ? length - 1 : length)}${mark}${digest}`
}

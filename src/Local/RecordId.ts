/**
 * Makes ids for records that come without one: UUIDv7 (RFC 9562 §5.7). The ids of one process sort in the order of their
 * making, by a counter within each millisecond (§6.2, method 1). Random digits are drawn ahead: one call of the system
 * for each id would take most of the time.
 */
import { randomBytes } from "node:crypto"

/** The counter has 12 bits. It begins in the lower half, so that a millisecond has room for 2,048 ids and more. */
const counterMax = 0xfff
const counterStartMask = 0x7ff

/** The random bytes that are drawn at once. */
const drawnBytes = 4096
/** Three digits beside the variant, which has two random bits of its own, and twelve at the end: 62 random bits. */
const digitsCount = 16

const variants = ["8", "9", "a", "b"]

/** Random hexadecimal digits, sixteen at a time. */
const digitsOf = (): (() => string) => {
  let drawn = ""
  let at = 0
  return () => {
    if (at === drawn.length) {
      drawn = randomBytes(drawnBytes).toString("hex")
      at = 0
    }
    at += digitsCount
    return drawn.slice(at - digitsCount, at)
  }
}

/** Makes ids by this clock, in milliseconds since 1970. */
export const makeRecordIds = (nowMs: () => number): (() => string) => {
  const nextDigits = digitsOf()
  let lastMs = 0
  let counter = 0
  /** The time of the last id, as an id begins. */
  let begin = ""
  const startAt = (ms: number): void => {
    lastMs = ms
    counter = Number.parseInt(nextDigits().slice(0, 3), 16) & counterStartMask
    const time = ms.toString(16).padStart(12, "0")
    begin = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }
  return () => {
    const ms = nowMs()
    if (ms > lastMs) startAt(ms)
    else if (counter < counterMax) counter += 1
    // The time runs ahead by a millisecond, rather than the order breaks.
    else startAt(lastMs + 1)
    const digits = nextDigits()
    const variant = variants[Number.parseInt(digits[0]!, 16) & 3]
    return `${begin}${counter.toString(16).padStart(3, "0")}-${variant}${digits.slice(1, 4)}-${digits.slice(4)}`
  }
}

/** Makes an id by the clock of this process. */
export const recordId: () => string = makeRecordIds(Date.now)

/**
 * Makes ids for records that come without one: UUIDv7 (RFC 9562 §5.7). The ids of one process sort in the order of their
 * making, by a counter within each millisecond (§6.2, method 1). Their randomness is that of the runtime's own UUIDs,
 * which draw bytes ahead: one call of the system for each id would take most of the time.
 */
import { randomUUID } from "node:crypto"

/** The counter has 12 bits. It begins in the lower half, so that a millisecond has room for 2,048 ids and more. */
const counterMax = 0xfff
const counterStartMask = 0x7ff

/** Makes ids by this clock, in milliseconds since 1970. */
export const makeRecordIds = (nowMs: () => number): (() => string) => {
  let lastMs = 0
  let counter = 0
  return () => {
    const random = randomUUID()
    const ms = nowMs()
    if (ms > lastMs) {
      lastMs = ms
      counter = Number.parseInt(random.slice(0, 3), 16) & counterStartMask
    } else if (counter < counterMax) counter += 1
    else {
      // The time runs ahead by a millisecond, rather than the order breaks.
      lastMs += 1
      counter = Number.parseInt(random.slice(0, 3), 16) & counterStartMask
    }
    const time = lastMs.toString(16).padStart(12, "0")
    // From the variant on: 62 random bits.
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}${random.slice(18)}`
  }
}

/** Makes an id by the clock of this process. */
export const recordId: () => string = makeRecordIds(Date.now)

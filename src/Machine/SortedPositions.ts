/**
 * Sorts many keys at once, and tells where each of them was. Pure. Comparing a million texts takes a second. Here a
 * position lies beside a number for the first characters that differ, and an engine sorts such pairs without calling
 * back; only equal numbers are looked at again.
 */
import { compareKeys } from "./Order.ts"
import type { OrderValue } from "./OrderKey.ts"

/** So few keys are sorted by comparing them. */
const fewMax = 32
/** Texts that share more characters than that many steps tell apart are compared. */
const stepsMax = 64

/** The positions of keys in their order and, among equal keys, as they are. */
export const sortedPositions = (keys: ReadonlyArray<OrderValue>): Uint32Array => {
  const counts = kinds.map(() => 0)
  for (let at = 0; at < keys.length; at++) counts[kindOf(keys[at]!)]!++
  const nextOf = counts.map((_, kind) => counts.slice(0, kind).reduce((sum, count) => sum + count, 0))
  const parts = counts.map((count, kind) => ({ kind: kinds[kind], begin: nextOf[kind]!, end: nextOf[kind]! + count }))
  const positions = new Uint32Array(keys.length)
  for (let at = 0; at < keys.length; at++) positions[nextOf[kindOf(keys[at]!)]!++] = at
  for (const { begin, end, kind } of parts) {
    const part = positions.subarray(begin, end)
    if (kind === "string") sortTexts(keys as ReadonlyArray<string>, part, { from: 0, stepsCount: 0 })
    else if (kind === "number") sortNumbers(keys as ReadonlyArray<number>, part)
    else if (kind === "boolean") byComparing(keys, part)
  }
  return positions
}

/** The kinds of keys in their order. */
const kinds = ["boolean", "number", "string", "null"] as const

const kindOf = (key: OrderValue): number => {
  if (key === null) return 3
  return typeof key === "string" ? 2 : typeof key === "number" ? 1 : 0
}

const byComparing = (keys: ReadonlyArray<OrderValue>, positions: Uint32Array): void => {
  positions.sort((left, right) => compareKeys(keys[left]!, keys[right]!) || left - right)
}

/** Sorts texts that are equal before `from`. */
const sortTexts = (
  keys: ReadonlyArray<string>,
  positions: Uint32Array,
  { from, stepsCount }: { readonly from: number; readonly stepsCount: number }
): void => {
  if (positions.length <= fewMax || stepsCount === stepsMax) {
    byComparing(keys, positions)
    return
  }
  const begin = commonLength(keys, positions, from)
  const { count, size } = positions.every((position) => isNarrow(keys[position]!, begin)) ? narrow : wide
  const end = begin + count
  const digits = (position: number): number => {
    const key = keys[position]!
    let number = 0
    // A text that has ended comes before all that go on.
    for (let at = begin; at < end; at++) number = number * size + (at < key.length ? key.charCodeAt(at) + 1 : 0)
    return number
  }
  byNumbers(positions, digits, (equal) => {
    if (keys[equal[0]!]!.length >= end) sortTexts(keys, equal, { from: end, stepsCount: stepsCount + 1 })
  })
}

/** How many characters make a number below 2³², of how many kinds with the end of a text. */
const narrow = { count: 4, size: 129 }
const wide = { count: 1, size: 65_537 }

/** Whether the next characters of a text are ASCII. */
const isNarrow = (key: string, begin: number): boolean => {
  const end = Math.min(begin + narrow.count, key.length)
  for (let at = begin; at < end; at++) if (key.charCodeAt(at) > 127) return false
  return true
}

/** How many characters all texts share. They share those before `from`. */
const commonLength = (keys: ReadonlyArray<string>, positions: Uint32Array, from: number): number => {
  const first = keys[positions[0]!]!
  let length = first.length
  for (const position of positions) {
    const key = keys[position]!
    let at = from
    while (at < length && key.charCodeAt(at) === first.charCodeAt(at)) at++
    length = at
    if (length === from) break
  }
  return length
}

const sortNumbers = (keys: ReadonlyArray<number>, positions: Uint32Array): void => {
  if (positions.length <= fewMax) {
    byComparing(keys, positions)
    return
  }
  const bits = new Uint32Array(2)
  const float = new Float64Array(bits.buffer)
  /** The bits of a number, turned so that they compare as the number does. */
  const turned = (half: 0 | 1) => (position: number) => {
    // Both zeros are one value.
    float[0] = keys[position]! + 0
    const isNegative = bits[highHalf]! >= 0x80000000
    const found = bits[half]!
    if (isNegative) return ~found >>> 0
    return half === highHalf ? (found | 0x80000000) >>> 0 : found
  }
  byNumbers(positions, turned(highHalf), (equal) => byNumbers(equal, turned(lowHalf), () => {}))
}

const lowHalf = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1
const highHalf = lowHalf === 0 ? 1 : 0

/** Sorts positions by a number of each, below 2³², and passes on those with equal numbers, which stay as they are. */
const byNumbers = (
  positions: Uint32Array,
  numberOf: (position: number) => number,
  onEqual: (equal: Uint32Array) => void
): void => {
  const pairs = new BigUint64Array(positions.length)
  const halves = new Uint32Array(pairs.buffer)
  for (let at = 0; at < positions.length; at++) {
    halves[2 * at + highHalf] = numberOf(positions[at]!)
    halves[2 * at + lowHalf] = positions[at]!
  }
  pairs.sort()
  for (let at = 0; at < positions.length; at++) positions[at] = halves[2 * at + lowHalf]!
  for (let begin = 0; begin < positions.length; ) {
    let end = begin + 1
    while (end < positions.length && halves[2 * end + highHalf] === halves[2 * begin + highHalf]) end++
    if (end - begin > 1) onEqual(positions.subarray(begin, end))
    begin = end
  }
}

/**
 * One number for a whole state: equal states have equal hashes, whatever their history. Pure.
 * It is a multiset hash, the sum of the hashes of all elements, so one change costs one subtraction and one addition.
 * It finds divergence, not forgery. docs/guarantees.md.
 */

/** 128 bits in four lanes, each summed modulo 2³². Owned and changed in place. */
export type StateHash = Uint32Array

/** The hash of nothing. */
export const make = (): StateHash => new Uint32Array(4)

/** A copy that changes independently. */
export const clone = (hash: StateHash): StateHash => hash.slice()

/** The hash of one element alone. */
export const of = (element: string): StateHash => clone(lanesOf(element))

/** Adds the elements of another hash. */
export const plus = (hash: StateHash, other: StateHash): void => {
  for (let lane = 0; lane < 4; lane++) hash[lane] = hash[lane]! + other[lane]!
}

/** Removes the elements of another hash: the inverse of {@link plus}. */
export const minus = (hash: StateHash, other: StateHash): void => {
  for (let lane = 0; lane < 4; lane++) hash[lane] = hash[lane]! - other[lane]!
}

/** Adds one element. */
export const add = (hash: StateHash, element: string): void => plus(hash, lanesOf(element))

/** Adds one element to two hashes. */
export const addToBoth = (one: StateHash, other: StateHash, element: string): void => {
  const added = lanesOf(element)
  plus(one, added)
  plus(other, added)
}

/** Removes one element: the inverse of {@link add}. */
export const remove = (hash: StateHash, element: string): void => minus(hash, lanesOf(element))

/** The hash of an element that is three whole numbers, made without a text. Every entry changes one. */
export const ofNumbers = (first: number, second: number, third: number): StateHash => {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  for (const number of [first, second, third]) {
    const high = Math.floor(number / 2 ** 32)
    a = finish(a ^ number) + b
    b = finish(b ^ high) + a
  }
  return finished(a, b, a ^ first, b ^ third)
}

/** 32 hexadecimal digits. */
export const toHex = (hash: StateHash): string =>
  Array.from(hash, (lane) => lane.toString(16).padStart(8, "0")).join("")

/** The lanes of the last element. Every write hashes several, and none needs them after the next. */
const lanes: StateHash = make()

/**
 * Four multiplicative hashes over the code units, crossed at the end and finished as MurmurHash3 finishes. The next call
 * overwrites the result.
 */
const lanesOf = (text: string): Uint32Array => {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  let c = 0xc2b2ae35
  let d = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul((b ^ unit) + (a >>> 16), 0x85ebca6b)
    c = Math.imul((c ^ unit) + (b >>> 15), 0xc2b2ae35)
    d = Math.imul((d ^ unit) + (c >>> 13), 0x27d4eb2f)
  }
  return finished(a, b, c, d)
}

const finished = (a: number, b: number, c: number, d: number): StateHash => {
  lanes[0] = finish(a ^ (d >>> 7))
  lanes[1] = finish(b + lanes[0])
  lanes[2] = finish(c + lanes[1])
  lanes[3] = finish(d + lanes[2])
  return lanes
}

const finish = (lane: number): number => {
  let mixed = lane ^ (lane >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

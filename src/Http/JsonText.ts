/**
 * Finds what a parsed JSON value does not show: how deep the text nests, which keys it repeats, and which numbers a
 * double cannot hold. Pure, one pass, linear time. RFC 8259 §4, §6.
 */
import { depthMax } from "../Model/PlainJson.ts"

/** The findings about a text. Only the first inexact number is reported. */
export interface Scanned {
  readonly isTooDeep: boolean
  /** Members of all objects, repeated ones included. */
  readonly membersCount: number
  /** A number that changes when it is read. */
  readonly inexact: string | undefined
}

const quote = 0x22
const backslash = 0x5c

/** Scans a text, JSON or not. Call it before anything recursive sees the text: it finds texts that nest too deeply. */
export const scan = (text: string): Scanned => {
  let depth = 0
  let membersCount = 0
  let inexact: string | undefined
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === quote) at = endOfString(text, at)
    else if (char === 0x3a) membersCount += 1
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > depthMax) return { isTooDeep: true, membersCount, inexact }
    } else if (char === 0x5d || char === 0x7d) depth--
    else if (char === 0x2d || isDigit(char)) {
      const end = endOfNumber(text, at)
      // Fifteen digits and no exponent: any double holds them.
      if (end - at > 15 || hasExponent(text, at, end)) {
        const number = text.slice(at, end)
        if (inexact === undefined && !isExact(number)) inexact = number
      }
      at = end - 1
    }
  }
  return { isTooDeep: false, membersCount, inexact }
}

/** The index of the closing quote, or the end of the text. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === backslash) at++
    else if (char === quote) return at
  }
  return at
}

const isDigit = (char: number): boolean => char >= 0x30 && char <= 0x39

/** The index after the number's last character. */
const endOfNumber = (text: string, start: number): number => {
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text.charCodeAt(at)
    // Digits, a point, an exponent and its sign.
    if (!isDigit(char) && char !== 0x2e && char !== 0x65 && char !== 0x45 && char !== 0x2b && char !== 0x2d) break
  }
  return at
}

const hasExponent = (text: string, start: number, end: number): boolean => {
  for (let at = start; at < end; at++) if ((text.charCodeAt(at) | 0x20) === 0x65) return true
  return false
}

const jsonNumber = /^-?(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** Whether a text is a JSON number. */
export const isJsonNumber = (text: string): boolean => jsonNumber.test(text)

/**
 * Whether a number equals the shortest decimal of the double that it becomes. It compares values: `1.0` and `1e2` are
 * exact, 9007199254740993 and 1e400 are not. True for a text that is not a number: the parser refuses that.
 */
export const isExact = (number: string): boolean => {
  const read = Number(number)
  // Most programs write numbers this way.
  if (String(read) === number) return true
  const written = decimalOf(number)
  if (written === undefined) return true
  if (!Number.isFinite(read)) return false
  const shortest = decimalOf(String(read))
  return shortest !== undefined && shortest.digits === written.digits && shortest.exponent === written.exponent
}

/** A number as `0.digits` times ten to the exponent, without sign and without zeros at either end. Zero has no digits. */
const decimalOf = (number: string): { readonly digits: string; readonly exponent: number } | undefined => {
  const [match, integer = "", fraction = "", power = "0"] = jsonNumber.exec(number) ?? []
  if (match === undefined) return undefined
  const all = integer + fraction
  let start = 0
  while (all.charCodeAt(start) === 0x30) start++
  let end = all.length
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--
  if (start === end) return { digits: "", exponent: 0 }
  return { digits: all.slice(start, end), exponent: integer.length - start + Number(power) }
}

/** Counts the members of all objects in a parsed value. The scan has bounded how deep it recurses. */
export const countMembers = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countMembers(item)
    return count
  }
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue
    count += 1 + countMembers((value as Record<string, unknown>)[key])
  }
  return count
}

/** Finds the first key that an object of a valid text has twice. Call it only if the counts show that there is one. */
export const repeatedKey = (text: string): string | undefined => {
  const objects: Array<Set<string> | undefined> = []
  let last = ""
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      const end = endOfString(text, at)
      last = text.slice(at, end + 1)
      at = end
    } else if (char === 0x7b) objects.push(new Set())
    else if (char === 0x5b) objects.push(undefined)
    else if (char === 0x5d || char === 0x7d) objects.pop()
    else if (char === 0x3a) {
      const key: unknown = JSON.parse(last)
      const keys = objects.at(-1)
      if (typeof key !== "string" || keys === undefined) continue
      if (keys.has(key)) return key
      keys.add(key)
    }
  }
  return undefined
}

/**
 * The keys by which the values of a field are compared: a text, a number or a boolean that compares as its value does.
 * A key is computed once for a record or an operand, so indexes compare ready keys. Pure. It parses JSON of the log and
 * runs no schema, so it is total, and equal on every node and runtime.
 */
import type { Schema } from "effect"
import type { FieldOrder } from "../Model/FieldOrder.ts"
import { instantOf } from "../Model/Rfc3339.ts"
import { canonical } from "./Json.ts"

type Json = Schema.Json

/** Null is also the key of an absent value. */
export type OrderValue = string | number | boolean | null

/** It comes after all numbers, as in PostgreSQL, and before all texts that are no numbers. */
const notANumber = "NaN"

/** The key of a value. A value of an older shape that does not fit the order comes after those that do. */
export const keyOf = (order: FieldOrder | undefined, value: Json | undefined): OrderValue => {
  if (value === undefined || value === null) return null
  switch (order) {
    case undefined:
    case "plain":
      return typeof value === "object" ? canonical(value) : (value as OrderValue)
    case "number":
      return typeof value === "string" ? numberKey(value) : keyOf("plain", value)
    case "nonfinite":
      return typeof value === "string" ? (nonfinite.get(value) ?? value) : keyOf("plain", value)
    case "decimal":
      if (typeof value === "string") return decimalKey(value)
      return typeof value === "number" ? decimalKey(String(value)) : keyOf("plain", value)
    case "instant":
      return typeof value === "string" ? (instantOf(value) ?? value) : keyOf("plain", value)
    case "duration":
      return durationKey(value) ?? keyOf("plain", value)
  }
}

const nonfinite: ReadonlyMap<string, OrderValue> = new Map<string, OrderValue>([
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["NaN", notANumber]
])

const decimal = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,15}))?$/

const numberKey = (text: string): OrderValue => {
  const known = nonfinite.get(text)
  if (known !== undefined) return known
  return decimal.test(text) ? Number(text) : text
}

/** Exponents from -1e15 to 1e15, and as many digits before the point. */
const exponentOffset = 2_000_000_000_000_000
const exponentDigits = 16

/** The beginning of the keys of texts that are no decimals. */
const noDecimal = "3"

/**
 * A text that compares as the decimal does: below, at or above zero; then the power of ten; then the digits. Below zero
 * both are inverted, and the digits end with a character after all digits.
 */
const decimalKey = (text: string): string => {
  const match = decimal.exec(text)
  const [, sign, integer = "", fraction = "", power = "0"] = match ?? []
  if (match === null) return noDecimal + text
  const all = integer + fraction
  const start = leadingZeros(all)
  const digits = all.slice(start, endOfDigits(all))
  if (digits === "") return "1"
  const exponent = integer.length - start + Number(power)
  const padded = (value: number) => String(value).padStart(exponentDigits, "0")
  if (sign !== "-") return `2${padded(exponentOffset + exponent)}${digits}`
  const turned = Array.from(digits, (digit) => 9 - Number(digit)).join("")
  return `0${padded(exponentOffset - exponent)}${turned}~`
}

const leadingZeros = (digits: string): number => {
  let at = 0
  while (digits.charCodeAt(at) === 0x30) at++
  return at
}

const endOfDigits = (digits: string): number => {
  let at = digits.length
  while (at > 0 && digits.charCodeAt(at - 1) === 0x30) at--
  return at
}

/** The key of a duration as Effect writes it: infinite in either direction, in ms, or in ns. */
const durationKey = (value: Json): string | undefined => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const { _tag, value: length } = value as { readonly [key: string]: Json }
  switch (_tag) {
    case "NegativeInfinity":
      return ""
    case "Infinity":
      return "4"
    case "Millis":
      return typeof length === "number" ? decimalKey(String(length)) : undefined
    case "Nanos":
      return typeof length === "string" ? decimalKey(`${length}e-6`) : undefined
    default:
      return undefined
  }
}

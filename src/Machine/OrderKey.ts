/**
 * What the values of a field are compared by: for each a text, a number or a boolean that compares as the value does.
 * Worked out once for a record and an operand, so that indexes compare what is ready. Pure; it parses JSON that the log
 * holds and runs no schema, so that it is total and equal on every node and runtime.
 */
import type { Schema } from "effect"
import type { FieldOrder } from "../Model/FieldOrder.ts"
import { instantOf } from "../Model/Rfc3339.ts"
import { canonical } from "./Json.ts"

type Json = Schema.Json

/** Null stands for what is absent, too. */
export type OrderValue = string | number | boolean | null

/** Behind all numbers and before all texts that stand for none. PostgreSQL has it there as well. */
const notANumber = "NaN"

/** The key of a value. What does not fit its order, left by an older shape of the model, comes behind what does. */
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

/** Where texts that are no decimals begin. */
const noDecimal = "3"

/**
 * A decimal as a text that compares as it does: below, at or above zero; then the power of ten; then the digits. Below
 * zero both are turned round, and the digits end with what is behind every digit.
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

/** As Effect writes one: without end in either direction, in ms, or in ns. */
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

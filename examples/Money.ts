/**
 * An amount as a decimal string: at most 15 integer digits and two decimals, never a float. `"5"` becomes `"5.00"`.
 * Calculations use whole cents.
 */

import { Schema, SchemaTransformation } from "effect"
import * as Model from "lithair/model"

const Written = Schema.String.check(
  Schema.isPattern(/^-?\d{1,15}(\.\d{1,2})?$/u, {
    message: "Expected a decimal with at most 15 integer digits and 2 decimals"
  })
)

const normal = (written: string): string => {
  const [, sign = "", integer = "0", decimals = ""] = /^(-?)0*(\d+)(?:\.(\d+))?$/.exec(written) ?? []
  const value = `${integer}.${decimals.padEnd(2, "0")}`
  return value === "0.00" ? value : `${sign}${value}`
}

const decimal = (written: typeof Written) =>
  written.pipe(
    Schema.decodeTo(Schema.String, SchemaTransformation.transform({ decode: normal, encode: (value) => value })),
    Model.decimal
  )

/** Any amount. */
export const Money = decimal(Written)

const notBelowZero = { message: "Expected an amount of at least 0.00" }

/** An amount that is not below zero. The pattern of its text says so in the API's document. */
export const NonNegative = decimal(
  Written.check(Schema.isPattern(/^(-0{1,15}(\.0{1,2})?|\d{1,15}(\.\d{1,2})?)$/u, notBelowZero))
).check(Schema.isPattern(/^\d/, notBelowZero))

/** An amount above zero. */
export const Positive = NonNegative.check(Schema.isPattern(/[1-9]/, { message: "Expected an amount above 0.00" }))

/** `"-5.20"` is `-520n`; any amount as the schema gives it. */
const centsOf = (amount: string): bigint => BigInt(amount.replace(".", ""))

const ofCents = (cents: bigint): string => {
  const digits = String(cents < 0n ? -cents : cents).padStart(3, "0")
  return `${cents < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** The sum. A model refuses a sum with too many digits. */
export const add = (left: string, right: string): string => ofCents(centsOf(left) + centsOf(right))

/** The difference; below zero if `right` is more. */
export const subtract = (left: string, right: string): string => ofCents(centsOf(left) - centsOf(right))

/** The amount, `count` times; `count` is a whole number. */
export const times = (amount: string, count: number): string => ofCents(centsOf(amount) * BigInt(count))

/** Whether `left` is less than `right`, by value. */
export const isLess = (left: string, right: string): boolean => centsOf(left) < centsOf(right)

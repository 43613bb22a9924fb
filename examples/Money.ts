/** An amount as a decimal string: at most 15 integer digits and two decimals, never a float. `"5"` is answered as `"5.00"`. */

import { Schema, SchemaTransformation } from "effect"
import * as Model from "../src/Model.ts"

const Written = Schema.String.check(
  Schema.isPattern(/^-?\d{1,15}(\.\d{1,2})?$/, {
    message: "Expected a decimal with at most 15 integer digits and 2 decimals"
  })
)

const normal = (written: string): string => {
  const [, sign = "", integer = "0", decimals = ""] = /^(-?)0*(\d+)(?:\.(\d+))?$/.exec(written) ?? []
  const value = `${integer}.${decimals.padEnd(2, "0")}`
  return value === "0.00" ? value : `${sign}${value}`
}

/** Any amount. */
export const Money = Written.pipe(
  Schema.decodeTo(Schema.String, SchemaTransformation.transform({ decode: normal, encode: (value) => value })),
  Model.decimal
)

/** An amount that is not below zero. */
export const NonNegative = Money.check(Schema.isPattern(/^\d/, { message: "Expected an amount of at least 0.00" }))

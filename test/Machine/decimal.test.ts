import { assert, it } from "@effect/vitest"
import { compareDecimals } from "../../src/Machine/Decimal.ts"
import { seeded } from "./Seeded.ts"

/** The value of a decimal of at most 30 decimals, in units of the last of them; undefined for any other text. */
const exact = (text: string): bigint | undefined => {
  const [, sign, digits = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (digits === "") return undefined
  const units = BigInt(digits + fraction.padEnd(30, "0"))
  return sign === "-" ? -units : units
}

const expected = (left: string, right: string): number => {
  const [a, b] = [exact(left), exact(right)]
  if (a === undefined || b === undefined) {
    return a === b ? (left < right ? -1 : left > right ? 1 : 0) : a === undefined ? 1 : -1
  }
  return a < b ? -1 : a > b ? 1 : 0
}

it("decimals are ordered by value, to the last digit, and other texts come behind them", () => {
  const random = seeded(1)
  const pieces = [
    "",
    "-",
    "0",
    "00",
    "1",
    "9",
    "12",
    "999999999999999999",
    ".",
    ".0",
    ".5",
    ".50",
    ".05",
    "x",
    " "
  ] as const
  const texts = Array.from({ length: 400 }, () =>
    Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join("")
  )
  assert.isAbove(texts.filter((text) => exact(text) !== undefined).length, 100)
  assert.isAbove(texts.filter((text) => exact(text) === undefined).length, 100)
  for (const left of texts) {
    for (const right of texts) {
      const sign = Math.sign(compareDecimals(left, right))
      if (sign !== expected(left, right)) assert.fail(`${JSON.stringify([left, right])}: ${sign}`)
    }
  }
})

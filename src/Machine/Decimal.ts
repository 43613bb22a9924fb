/** The order of decimals that are held as texts, so that no digit of them is lost: money, say. Pure. */

const decimal = /^(-?)(\d+)(?:\.(\d+))?$/
const zeros = /^0*$/

/** By value, whatever zeros lead or trail; a text that is no decimal comes after all that are, by code unit. */
export const compareDecimals = (left: string, right: string): number => {
  const a = decimal.exec(left)
  const b = decimal.exec(right)
  if (a === null || b === null) return a === b ? compareTexts(left, right) : a === null ? 1 : -1
  const bySign = signOf(a) - signOf(b)
  return bySign !== 0 ? bySign : signOf(a) * compareMagnitudes(a, b)
}

const signOf = ([, minus, digits = "", fraction = ""]: RegExpExecArray): number =>
  zeros.test(digits) && zeros.test(fraction) ? 0 : minus === "-" ? -1 : 1

/** Padded to one length on either side of the point, digits compare as texts do. */
const compareMagnitudes = (a: RegExpExecArray, b: RegExpExecArray): number => {
  const [, , digitsA = "", fractionA = ""] = a
  const [, , digitsB = "", fractionB = ""] = b
  const digitsCount = Math.max(digitsA.length, digitsB.length)
  const fractionCount = Math.max(fractionA.length, fractionB.length)
  const byDigits = compareTexts(digitsA.padStart(digitsCount, "0"), digitsB.padStart(digitsCount, "0"))
  if (byDigits !== 0) return byDigits
  return compareTexts(fractionA.padEnd(fractionCount, "0"), fractionB.padEnd(fractionCount, "0"))
}

const compareTexts = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

/** Positions sorted by number, held against positions sorted by comparing. */
import { assert, describe, it } from "@effect/vitest"
import { compareKeys, type OrderValue } from "../../src/Machine/Order.ts"
import { sortedPositions } from "../../src/Machine/SortedPositions.ts"
import { seeded } from "./Seeded.ts"

const compared = (keys: ReadonlyArray<OrderValue>): ReadonlyArray<number> =>
  keys.map((_, position) => position).sort((left, right) => compareKeys(keys[left]!, keys[right]!) || left - right)

const check = (keys: ReadonlyArray<OrderValue>, what: string) =>
  assert.deepStrictEqual(Array.from(sortedPositions(keys)), compared(keys), what)

const numbers = [0, -0, 1, -1, 0.5, -0.5, 5e-324, -5e-324, 1e308, -1e308, Number.POSITIVE_INFINITY]
const characters = ["", "a", "b", "\u0000", "~", "é", "\u{1f600}", "\ud800", "\uffff", "aaaa"]

describe("positions in the order of keys", () => {
  for (const kinds of [["text"], ["number"], ["text", "number", "null", "boolean"]]) {
    it(`are those that comparing finds: ${kinds.join(", ")}`, () => {
      for (let seed = 1; seed <= 200; seed++) {
        const random = seeded(seed)
        const prefix = "p".repeat(random.below(3) * random.below(40))
        const spread = 1 + random.below(2_000)
        const text = (): string => {
          if (random.below(3) === 0) return prefix + String(random.below(spread))
          return prefix + Array.from({ length: random.below(9) }, () => characters[random.below(10)]!).join("")
        }
        const number = (): number => {
          if (random.below(4) === 0) return numbers[random.below(numbers.length)]!
          const whole = random.below(spread) - spread / 2
          return random.below(2) === 0 ? whole : whole / 7
        }
        const key = (): OrderValue => {
          switch (kinds[random.below(kinds.length)]) {
            case "text":
              return text()
            case "number":
              return number()
            case "boolean":
              return random.below(2) === 0
            default:
              return null
          }
        }
        check(Array.from({ length: random.below(700) }, key), `seed ${seed}`)
      }
    })
  }

  it("are found among texts that begin with each other, whatever their length", () => {
    check(
      Array.from({ length: 3_000 }, (_, at) => "a".repeat((at * 7) % 3_000)),
      "lengths"
    )
    check(new Array<string>(1_000).fill("x".repeat(1_000)), "equal")
    check(["a", "a\u0000", "a", "a\u0000\u0000"].concat(new Array<string>(100).fill("a")), "zeros")
  })
})

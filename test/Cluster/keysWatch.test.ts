/** The warning before opaque keys run out. */
import { assert, describe, it } from "@effect/vitest"
import { newsOf } from "../../src/Cluster/KeysWatch.ts"

describe("the watch over opaque keys", () => {
  it("warns once above 80 %, and says once that it is calm below 75 %", () => {
    const said: Array<string> = []
    let isWarned = false
    const look = (count: number) => {
      const news = newsOf({ count, max: 400_000 }, isWarned)
      if (news === undefined) return
      isWarned = news.isWarned
      said.push(news.line)
    }
    for (const count of [0, 320_000, 320_001, 400_000, 310_000, 320_001, 300_000, 299_999, 10, 320_001]) look(count)
    assert.deepStrictEqual(said, [
      "320001 of 400000 opaque idempotency keys are in use (80 %): at the bound, requests with a new one are refused",
      "299999 of 400000 opaque idempotency keys are in use (74 %)",
      "320001 of 400000 opaque idempotency keys are in use (80 %): at the bound, requests with a new one are refused"
    ])
  })
})

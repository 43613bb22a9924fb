import { assert, describe, it } from "@effect/vitest"
import { InFlight } from "../../../src/Raft/node/InFlight.ts"
import { seeded } from "../../Machine/Seeded.ts"

describe("InFlight", () => {
  it("holds what a map would, in its order, whatever comes and goes", () => {
    const { below } = seeded(7)
    const inFlight = new InFlight<string>()
    const model = new Map<number, string>()
    for (let number = 1; number <= 5_000; number++) {
      inFlight.set(number, `n${number}`)
      model.set(number, `n${number}`)
      for (let draws = 0; draws < 2; draws++) {
        const drawn = 1 + below(number)
        if (below(5) === 0) {
          if (model.has(drawn)) model.set(drawn, "replaced")
          if (inFlight.has(drawn)) inFlight.set(drawn, "replaced")
        } else assert.strictEqual(inFlight.delete(drawn), model.delete(drawn))
        assert.strictEqual(inFlight.get(drawn), model.get(drawn))
      }
      if (number % 100 === 0) assert.deepStrictEqual(inFlight.entries(), [...model])
      assert.strictEqual(inFlight.size, model.size)
    }
    for (const [number] of inFlight.entries()) inFlight.delete(number)
    assert.deepStrictEqual([inFlight.size, inFlight.entries()], [0, []])
    inFlight.set(6_000, "again")
    assert.deepStrictEqual(inFlight.entries(), [[6_000, "again"]])
  })
})

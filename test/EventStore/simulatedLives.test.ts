/** Many lives of the real log and snapshots on a simulated disk. LITHAIR_LIVES_SEEDS=2000 runs more than the gate does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lives } from "./SimulatedLives.ts"

const firstSeed = Number(process.env.LITHAIR_LIVES_FROM ?? 1)
const seedsCount = Number(process.env.LITHAIR_LIVES_SEEDS ?? 210)

describe("a node's files on a simulated disk", { timeout: 60_000 + seedsCount * 200 }, () => {
  it.effect(
    "keep all that was acknowledged through kill -9, loss of power and refusals, or refuse what is rotten",
    () =>
      Effect.gen(function* () {
        const seen = new Map<string, number>()
        for (let seed = firstSeed; seed < firstSeed + seedsCount; seed++) {
          const ends = yield* lives(seed)
          for (const end of ends) seen.set(end, (seen.get(end) ?? 0) + 1)
        }
        for (const end of [
          "in order, power lost",
          "killed",
          "killed, power lost",
          "refused, power lost",
          "rot refused"
        ]) {
          assert.isAbove(seen.get(end) ?? 0, 0, `no life ended "${end}": ${[...seen]}`)
        }
      })
  )
})

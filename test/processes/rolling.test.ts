/** An orderly stop hands leadership over (diss. 3.10): a rolling restart costs clients moments, and nobody a write. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Profile, profiles } from "../../src/Testing/simulator/Profile.ts"
import { allAdvance, moreAnswers, underLoad, verify } from "./Load.ts"
import { allReady, leaderOf, startCluster } from "./Processes.ts"

describe("a rolling restart of three processes", () => {
  it.live(
    "loses nothing under load, and each leader that is stopped is followed by another within moments",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        let profile: Profile = "write-only"
        const options = { nodes, clients: 8, prefix: "rolling", profile: () => profile }
        const { result: pausesMs, written } = yield* underLoad(options, (written) =>
          Effect.forEach(profiles, (next) =>
            Effect.gen(function* () {
              profile = next
              yield* moreAnswers(written, 50)
              const leader = yield* leaderOf(nodes)
              const stoppedAtMs = performance.now()
              assert.strictEqual(yield* leader.stop("SIGTERM"), 0)
              yield* moreAnswers(written, 50)
              yield* leader.start
              yield* allReady(nodes)
              yield* allAdvance(nodes)
              const times = next === "read-only" ? written.readAtMs : written.acknowledgedAtMs
              const after = times.filter((atMs) => atMs > stoppedAtMs)
              return after.reduce((longest, atMs, at) => Math.max(longest, atMs - (after[at - 1] ?? stoppedAtMs)), 0)
            })
          )
        )
        // An election without a hand-over takes at least an election timeout, of 300 to 600 ms, and the detection of it.
        const median = pausesMs.toSorted((a, b) => a - b)[1]!
        assert.isBelow(median, 1000, `pauses of ${pausesMs.map(Math.round).join(", ")} ms`)
        console.log(`longest pauses between answers: ${pausesMs.map(Math.round).join(", ")} ms`)
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    120_000
  )
})

/**
 * Bytes as no well-behaved client sends them: broken, aborted, oversized, pipelined, half-open, upgrades, expectations,
 * bad frames, slow senders. After each batch the node lives, answers and writes; where the contract says what an input
 * is answered, that is the answer. Alone, as a leader and as a follower, on all three runtimes (issue 9.14 to 9.16).
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isFull } from "../support/measure.ts"
import { allReady, equalHash, eventually, expectThat, leaderOf, type Runtime, startCluster } from "./Processes.ts"
import { bodies } from "./raw/Bodies.ts"
import { heads } from "./raw/Heads.ts"
import { pipelines } from "./raw/Pipelines.ts"
import { play } from "./raw/Play.ts"
import { upgrades } from "./raw/Upgrades.ts"

const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]
const plainNode = fileURLToPath(new URL("plainNode.ts", import.meta.url))
const inputs = [...heads, ...bodies, ...pipelines, ...upgrades]

const assertNone = (wrong: ReadonlyArray<string>) => assert.strictEqual(wrong.join("\n"), "")

describe("raw inputs", () => {
  it("are at least 150, and each has a name of its own", () => {
    assert.isAtLeast(new Set(inputs.map(({ name }) => name)).size, 150)
    assert.strictEqual(new Set(inputs.map(({ name }) => name)).size, inputs.length)
  })

  for (const runtime of runtimes) {
    it.live(
      `end no node that is alone, on ${runtime}, and are answered as the contract says`,
      () =>
        Effect.gen(function* () {
          const [node] = yield* startCluster([runtime])
          assertNone(yield* play(`alone on ${runtime}`, node!, inputs))
        }).pipe(Effect.scoped),
      120_000
    )
  }

  for (const runtime of runtimes) {
    it.live(
      `end no node whose application made its server itself, on ${runtime}`,
      () =>
        Effect.gen(function* () {
          const [node] = yield* startCluster([runtime], undefined, plainNode)
          // The runtime decides the answers of such a server.
          const survived = inputs.map(({ name, steps }) => ({ name, steps }))
          assertNone(yield* play(`alone on ${runtime}`, node!, survived))
        }).pipe(Effect.scoped),
      120_000
    )
  }

  it.live(
    "end no leader and no follower on any runtime, and all have written the same in the end",
    () =>
      Effect.gen(function* () {
        // A leader that a busy machine delays is not the subject here.
        const nodes = yield* startCluster(runtimes, () => Effect.succeed({ LITHAIR_ELECTION_TIMEOUT_MS: "5000" }))
        for (const [at, leading] of nodes.entries()) {
          const before = yield* leaderOf(nodes)
          if (before !== leading)
            yield* before.request("POST", "/_admin/api/leader:transfer", { body: { to: leading.id } })
          yield* eventually(
            `the node on ${leading.runtime} leads`,
            Effect.flatMap(leaderOf(nodes), (leader) => expectThat(leader === leading, "it leads"))
          )
          // The gate plays to both followers of each leader; else each is the follower of one.
          const targets = isFull ? nodes : [leading, nodes[(at + 1) % nodes.length]!]
          const wrong = yield* Effect.forEach(
            targets,
            (node) => play(`${node === leading ? "leader" : "follower"} on ${node.runtime}`, node, inputs),
            { concurrency: "unbounded" }
          )
          assertNone(wrong.flat())
        }
        yield* allReady(nodes)
        yield* equalHash(nodes)
      }).pipe(Effect.scoped),
    240_000
  )
})

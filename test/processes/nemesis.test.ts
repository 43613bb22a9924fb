/**
 * Three real processes, harmed at random while clients read and change a few records through any of them: what all
 * clients together were told must be linearizable (Herlihy & Wing 1990), and in the end all nodes hold the same.
 *
 * `LITHAIR_NEMESIS_SECONDS` and `LITHAIR_NEMESIS_SEED` say how long and which; `npm run nemesis` runs two minutes of a
 * new seed. A seed decides the harm and the requests, the machine when they meet: a failure keeps its history.
 */
import { rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import * as History from "../../src/Testing/History.ts"
import { check } from "../../src/Testing/Linearizability.ts"
import { type Profile, profiles } from "../../src/Testing/simulator/Profile.ts"
import * as VersionedRegister from "../../src/Testing/VersionedRegister.ts"
import { isFull } from "../support/measure.ts"
import { allAdvance } from "./Load.ts"
import { makeNemesis } from "./Nemesis.ts"
import { equalHash, eventually, startCluster } from "./Processes.ts"
import { makeProxies } from "./Proxies.ts"
import { record } from "./Recorded.ts"

const { LITHAIR_NEMESIS_SECONDS, LITHAIR_NEMESIS_SEED } = process.env
const seconds = Number(LITHAIR_NEMESIS_SECONDS ?? (isFull ? 20 : 10))
/** The gate always runs the same seed. A run with more time gets a new one. */
const seed = Number(LITHAIR_NEMESIS_SEED ?? (LITHAIR_NEMESIS_SECONDS === undefined ? 1 : Date.now() % 1_000_000))
const clientsCount = 12
/** The loads in turn, and their durations: a cluster that only reads, or only writes, neglects other work. */
const mixes: ReadonlyArray<Profile> = ["mixed", "read-only", "mixed", "write-only"]
const mixMs = 2_500
const keysCount = 4

describe("nemesis", () => {
  it.live(
    `${seconds} s of cuts, pauses and kills (seed ${seed}) leave a linearizable history and equal nodes`,
    () =>
      Effect.gen(function* () {
        const file = join(tmpdir(), `lithair-nemesis-${seed}-${process.pid}.jsonl`)
        writeFileSync(file, "")
        const proxies = makeProxies()
        const nodes = yield* startCluster(["node", "node", "node"], proxies.environmentOf)
        const keys = Array.from({ length: keysCount }, () => crypto.randomUUID())
        const recorded = record({ seed, nodes, keys, file })
        const nemesis = makeNemesis({
          seed,
          nodes,
          proxies,
          leader: recorded.leader,
          doneCount: () => recorded.counts.ok
        })
        yield* Effect.addFinalizer((exit) =>
          Effect.sync(() => {
            if (exit._tag === "Success") return rmSync(file)
            for (const node of nodes) writeFileSync(`${file}.${node.port}.log`, node.output())
            console.log(`Nemesis of seed ${seed}; the history is in ${file}\n${nemesis.log.join("\n")}`)
          })
        )

        const endsMs = performance.now() + seconds * 1000
        let isOver = false
        let fixed: Profile | undefined
        const profile = () => fixed ?? mixes[Math.floor(performance.now() / mixMs) % mixes.length]!
        const clients = yield* Effect.forEach(Array.from({ length: clientsCount }), (_, number) =>
          Effect.forkChild(recorded.client({ number, profile, isOver: () => isOver }))
        )
        yield* nemesis.run(() => performance.now() > endsMs)
        // Nothing is broken any more, and clients have not stopped.
        for (const each of profiles) {
          fixed = each
          yield* allAdvance(nodes)
        }
        isOver = true
        yield* Effect.forEach(clients, Fiber.join, { discard: true })

        yield* equalHash(nodes)
        for (const node of nodes) yield* eventually(`${node.id} answers reads`, recorded.readAll(node))
        yield* equalHash(nodes)

        const { counts, events, unexpected } = recorded
        console.log(`Nemesis of seed ${seed}: ${nemesis.log.length} acts, operations ${JSON.stringify(counts)}`)
        assert.deepStrictEqual(unexpected, [])
        const operations = Result.getOrThrow(History.operations(events))
        const verdict = check(VersionedRegister.model, operations)
        assert.strictEqual(verdict._tag, "Linearizable", JSON.stringify({ ...verdict, orders: undefined }))
        // A run in which nothing happened proves nothing.
        assert.isAbove(counts.ok, 100)
        for (const from of nodes) {
          for (const to of nodes) if (from !== to) assert.isAbove(proxies.deliveredBytes(from.port, to.port), 0)
        }
      }).pipe(Effect.scoped),
    seconds * 1000 + 120_000
  )
})

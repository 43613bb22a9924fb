/**
 * One run of a test's cluster under harm, all of it drawn from one seed, in virtual time: whole nodes of the production
 * code, over a network and disks in memory. It fails where a node or a client was told what cannot be; the history of
 * what clients were told is for the caller to judge.
 */
import { assert } from "@effect/vitest"
import { Clock, Effect, Fiber, Random, Schema } from "effect"
import { Member } from "../../src/Cluster/Member.ts"
import { stateHash } from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { type History, TestCluster } from "../../src/Testing.ts"
import { keys, makeClient } from "./HarmClients.ts"
import { below, type Harmed, harm, mend } from "./HarmFaults.ts"
import { makeLedger } from "./HarmLedger.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const descriptor = Model.describe(Product)
const clientsCount = 6
/** Once all is mended a write takes no longer: it is done by the first attempt, and nobody waits in vain. */
const mendedWriteMaxMs = 1_000

/** The names of the writes of each entry, by the whole log of a node. */
const namesInLog = Member.use(({ feed }) =>
  Effect.gen(function* () {
    const found: Array<ReadonlyArray<string>> = []
    for (let fromIndex = 1; fromIndex <= feed.appliedIndex(); ) {
      const entries = yield* feed.read({ fromIndex, maxBytes: 2 ** 20 })
      for (const { transaction } of entries) {
        const created = transaction?.events.filter(({ type }) => type !== "deleted") ?? []
        found.push(created.map(({ data }) => String(data.name)))
      }
      fromIndex += entries.length
    }
    return found
  })
)

const hash = Member.use((member) => Effect.sync(() => stateHash(member.tables)))

/** One run: its history, the state hash of every node at its end, and when that was in virtual time. */
export const run = (seed: number) =>
  Effect.gen(function* () {
    const snapshotAfterBytes = (yield* Random.nextBoolean) ? 1_000 + (yield* below(5_000)) : 8 * 1024 * 1024
    const size = (yield* below(4)) === 0 ? 5 : 3
    return yield* Effect.provide(
      harmed,
      TestCluster.layer({ models: [Product], seed, size, raft: { snapshotAfterBytes } })
    )
  }).pipe(Random.withSeed(`harm ${seed}`))

const harmed = Effect.gen(function* () {
  const { nodes, on, restart, settle, weather } = yield* TestCluster
  const events: Array<History.Event> = []
  const ledger = makeLedger()
  let processes = 0
  const clientOf = (number: number) =>
    makeClient({ number, descriptor, ledger, events, nextProcess: () => processes++ })

  const harmed: Harmed = { down: new Set(), paused: new Set() }
  const harming = yield* Effect.forkChild(harm(harmed))
  const clients = yield* Effect.forEach(Array.from({ length: clientsCount }), (_, number) =>
    Effect.forkChild(Effect.flatMap(clientOf(number), ({ run }) => run))
  )
  yield* Effect.forEach(clients, Fiber.join, { discard: true })
  yield* Fiber.interrupt(harming)
  yield* weather({})
  yield* mend(harmed)
  if (yield* Random.nextBoolean) yield* restart(...nodes)
  yield* settle

  for (const [at, node] of nodes.entries()) {
    const { read, write } = yield* clientOf(clientsCount + at)
    const beganMs = yield* on(node, Clock.currentTimeMillis)
    const name = `w${node}w`
    const put = { _tag: "Put", model: "Product", id: keys[0]!, data: { name } } as const
    const ended = yield* write(node, keys[0]!, { op: "write", value: name, name, change: put })
    assert.strictEqual(ended, "ok", `all is mended, and ${node} does not write`)
    assert.isBelow((yield* on(node, Clock.currentTimeMillis)) - beganMs, mendedWriteMaxMs)
    for (const key of keys) assert.isTrue(yield* read(node, key), `all is mended, and ${node} does not read`)
  }
  yield* settle
  ledger.judge(yield* on(nodes[0]!, namesInLog))
  const hashes = yield* Effect.forEach(nodes, (node) => on(node, hash))
  return { events, hashes, readsCount: ledger.readsCount(), endedMs: yield* on("n1", Clock.currentTimeMillis) }
})

/**
 * Measures the machine alone, in µs of its thread: deciding and applying a write on a leader, applying it on a
 * follower, without HTTP, wire and disk. Plain writes, batches, transactions and a declared command, over a small and a
 * large state. It takes one process. Figures are the lower quartile over batches, since other programs make a batch only
 * slower: so they hold on a busy machine. The processor time of all threads, with garbage, is a mean.
 */
import { randomUUID } from "node:crypto"
import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { Effect, Layer } from "effect"
import { commands, models } from "../examples/models.ts"
import { transferLayer } from "../examples/transfer.ts"
import * as ReplicatedMachine from "../src/Cluster/ReplicatedMachine.ts"
import * as Procedures from "../src/Command/Procedures.ts"
import { recordId } from "../src/Local/RecordId.ts"
import * as AssignedKey from "../src/Machine/AssignedKey.ts"
import type { Command } from "../src/Machine/Command.ts"
import * as Machine from "../src/Machine/Machine.ts"
import { describe } from "../src/Model/Class.ts"
import { table } from "./Statistics.ts"

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000,100000" },
    ms: { type: "string", default: "1500" },
    only: { type: "string" }
  }
})
const stepMs = Number(values.ms)
const batch = 8

const procedures = Effect.runSync(
  Effect.scoped(
    Effect.flatMap(Layer.build(transferLayer), (services) => Effect.provideContext(Procedures.make(commands), services))
  )
)
const descriptors = models.map((model) => describe(model))

/** Wall time: a batch that other programs interrupt is above the quartile, and the clock of a thread ticks too slowly. */
const nowMicros = () => performance.now() * 1000

const lowerQuartile = (values: ReadonlyArray<number>) =>
  values.toSorted((a, b) => a - b)[values.length >> 2] ?? Number.NaN

/** A leader and a follower: what one decides, both apply. */
const pair = () => {
  const machines = [0, 1].map(() => Machine.make(descriptors, procedures))
  const [leader, follower] = machines.map((machine) =>
    ReplicatedMachine.make(machine, { newId: recordId, monotonicMs: () => Math.floor(performance.now()) })
  ) as [ReturnType<typeof ReplicatedMachine.make>, ReturnType<typeof ReplicatedMachine.make>]
  leader.beginSpeculation([])
  const giveKey = AssignedKey.giver({ life: "0123456789ab-1", isOfNode: false })
  let index = 0
  const spent = {
    count: 0,
    bytes: 0,
    decide: [] as Array<number>,
    apply: [] as Array<number>,
    follow: [] as Array<number>
  }
  const run = (asked: ReadonlyArray<Command>) => {
    const nowMs = Date.now()
    const begin = nowMicros()
    const entries = asked.map((command) => {
      const decided = leader.decide(giveKey({ ...command, fingerprint: "0123456789abcdef" }, index), {
        index: index + 1,
        term: 1,
        nowMs
      })
      if (decided.entry === undefined) throw new Error(JSON.stringify(decided.result))
      return { index: ++index, term: 1, type: "transaction", payload: decided.entry.payload } as const
    })
    const decided = nowMicros()
    for (const entry of entries) leader.apply(entry)
    const applied = nowMicros()
    // As it comes off the wire: bytes of its own.
    const copies = entries.map((entry) => ({ ...entry, payload: entry.payload.slice() }))
    const copied = nowMicros()
    for (const entry of copies) follower.apply(entry)
    const followed = nowMicros()
    spent.count += entries.length
    spent.decide.push((decided - begin) / entries.length)
    spent.apply.push((applied - decided) / entries.length)
    spent.follow.push((followed - copied) / entries.length)
    for (const { payload } of entries) spent.bytes += payload.length
  }
  return { leader, follower, run, spent }
}

const product = () => ({ name: "Anvil", price: "19.90" })
const account = () => ({ owner: "Ada", balance: "100.00" })
const create = (model: string, data: unknown) => ({ _tag: "Create", model, data }) as const
const ids = Array.from({ length: 100 }, () => randomUUID())
let drawn = 0

const kinds: Record<string, () => Command> = {
  create: () => create("Product", product()),
  patch: () => ({ _tag: "Patch", model: "Product", id: ids[drawn++ % 100]!, data: { price: `${drawn % 1000}.00` } }),
  account: () => create("Account", account()),
  transfer: () => {
    const at = drawn++
    return {
      _tag: "Call",
      name: "transfer",
      payload: { from: ids[at % 100], to: ids[(at + 1 + (Math.floor(at / 100) % 10)) % 100], amount: "0.01" }
    }
  },
  "tx of 3": () => ({ _tag: "Transact", operations: [0, 1, 2].map(() => create("Account", account())) }),
  "bulk of 100": () => ({
    _tag: "Transact",
    name: "Bulk",
    operations: Array.from({ length: 100 }, () => create("Account", account()))
  })
}

for (const records of values.records.split(",").map(Number)) {
  const rows: Array<ReadonlyArray<string>> = []
  for (const [kind, make] of Object.entries(kinds)) {
    if (values.only !== undefined && !values.only.split(",").includes(kind)) continue
    const { leader, follower, run, spent } = pair()
    for (const id of ids)
      run([
        { _tag: "Create", model: "Product", id, data: product() },
        { _tag: "Create", model: "Account", id, data: { owner: "Ada", balance: "1000000.00" } }
      ])
    for (let held = 0; held < records; held += 64) run(Array.from({ length: 64 }, () => create("Product", product())))
    const size = kind.startsWith("bulk") ? 1 : batch
    for (const until = performance.now() + 700; performance.now() < until; ) run(Array.from({ length: size }, make))
    Object.assign(spent, { count: 0, bytes: 0, decide: [], apply: [], follow: [] })
    const cpu = process.cpuUsage()
    for (const until = performance.now() + stepMs; performance.now() < until; ) run(Array.from({ length: size }, make))
    const { system, user } = process.cpuUsage(cpu)
    if (String(leader.hash()) !== String(follower.hash())) throw new Error("The states differ")
    rows.push([
      kind,
      lowerQuartile(spent.decide).toFixed(1),
      lowerQuartile(spent.apply).toFixed(1),
      lowerQuartile(spent.follow).toFixed(1),
      ((system + user) / spent.count).toFixed(1),
      (spent.bytes / spent.count).toFixed(0)
    ])
  }
  console.log(`\n${records} records\n`)
  console.log(table(["command", "decide", "apply", "follower applies", "CPU, all", "entry bytes"], rows))
}

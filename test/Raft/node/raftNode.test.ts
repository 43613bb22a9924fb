/** Three nodes of the real shell, core, machine and file logs, on a network in memory. Time is real; waits are bounded. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, type Scope } from "effect"
import * as ReplicatedMachine from "../../../src/Cluster/ReplicatedMachine.ts"
import { layerFile } from "../../../src/EventStore/FileLog.ts"
import * as Snapshots from "../../../src/EventStore/Snapshots.ts"
import type { Command } from "../../../src/Machine/Command.ts"
import * as Machine from "../../../src/Machine/Machine.ts"
import * as Tables from "../../../src/Machine/Tables.ts"
import { defaults } from "../../../src/Raft/core/RaftConfig.ts"
import { make as makeRaftNode } from "../../../src/Raft/node/makeRaftNode.ts"
import { cut, heal, layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { Transport } from "../../../src/Raft/peers/Transport.ts"
import { descriptors } from "../../Machine/Store.ts"
import { configurationOf, member } from "../core/Cores.ts"
import { readIndex, submit } from "./Shell.ts"

const ids = ["a", "b", "c"]
const timeoutMs = 2000

const startNode = Effect.fnUntraced(function* (network: MemoryNetwork, root: string, nodeId: string) {
  const peers = ids.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
  const self = { nodeId, address: nodeId, instanceId: nodeId, peers }
  const machine = Machine.make(descriptors)
  let made = 0
  const context = yield* Layer.build(
    Layer.mergeAll(
      layerFile({ directory: join(root, nodeId) }),
      Snapshots.layerFile({ directory: join(root, `${nodeId}-snapshots`) }),
      layerMemory({ network, self })
    )
  )
  const node = yield* makeRaftNode({
    nodeId,
    instanceId: member(nodeId).instanceId,
    life: 1,
    configurations: [{ index: 0, configuration: configurationOf(ids) }],
    config: defaults,
    machine: ReplicatedMachine.make(machine, { newId: () => `${nodeId}-${made++}`, monotonicMs: () => 0 })
  }).pipe(Effect.provide(context))
  yield* Effect.forkScoped(
    Effect.provide(
      Effect.flatMap(Transport, (transport) =>
        transport.run((event) => {
          if (event._tag === "PeerDown") node.peerDown(event.peer)
          if (event._tag !== "Received") return
          const { message } = event
          if (message._tag === "Forward" || message._tag === "ForwardReply") return
          if (message._tag === "NotAMember" || message._tag === "Form" || message._tag === "FormReply") return
          if (message._tag === "HistoryWanted" || message._tag === "HistoryGiven") return
          if (message._tag === "StateReport" || message._tag === "SnapshotWanted")
            node.states.received(event.from, message)
          else node.receive(event.from, message)
        })
      ),
      context
    )
  )
  return { nodeId, node, machine }
})
type Node = Effect.Success<ReturnType<typeof startNode>>

const eventually = <A>(what: string, attempt: () => A | undefined) =>
  Effect.suspend(() => {
    const found = attempt()
    return found === undefined ? Effect.fail(new Error(`Never came true: ${what}`)) : Effect.succeed(found)
  }).pipe(Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 1000 }))

const leaderOf = (nodes: ReadonlyArray<Node>) =>
  eventually("one of the nodes leads and may decide", () =>
    nodes.find(({ node }) => node.core.role._tag === "Leader" && node.core.lastApplied >= node.core.role.noopIndex)
  )

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const sameState = (nodes: ReadonlyArray<Node>) =>
  eventually("all nodes hold the same state", () => {
    const seen = new Set(nodes.map(({ machine }) => `${machine.applied.index} ${Tables.stateHash(machine.applied)}`))
    return seen.size === 1 ? [...seen][0] : undefined
  })

describe("RaftNode", () => {
  it.live("a cluster of three agrees on every write, in one order, on every node", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const nodes = yield* Effect.forEach(ids, (id) => startNode(network, root, id))
      const leader = yield* leaderOf(nodes)
      const done = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, count) => create(`u${count}`)),
        (command) => submit(leader.node, command, timeoutMs),
        { concurrency: 16 }
      )
      assert.strictEqual(new Set(done.map(({ index }) => index)).size, 200)
      yield* sameState(nodes)
      assert.strictEqual(nodes[0]!.machine.applied.byModel.get("User")!.rows.size, 200)
      const rejected = yield* submit(leader.node, create("u7"), timeoutMs)
      assert.strictEqual(rejected.result._tag, "Rejected")
      for (const { node } of nodes) assert.isAtLeast(yield* readIndex(node, timeoutMs), rejected.index)
    }).pipe(Effect.scoped)
  )

  it.live("a leader cut off refuses, the majority goes on, and once healed all hold the same (§5, diss. 6.2)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const nodes = yield* Effect.forEach(ids, (id) => startNode(network, root, id))
      const old = yield* leaderOf(nodes)
      yield* submit(old.node, create("before"), timeoutMs)
      const others = nodes.filter((each) => each !== old)
      for (const other of others) cut(network, [old.nodeId, other.nodeId])
      const lost = yield* Effect.flip(submit(old.node, create("lost"), timeoutMs))
      assert.strictEqual(lost._tag, "UnknownOutcome")
      const leader = yield* leaderOf(others)
      yield* submit(leader.node, create("after"), timeoutMs)
      const refused = yield* Effect.flip(submit(old.node, create("refused"), timeoutMs))
      assert.strictEqual(refused._tag, "NotDone")
      assert.strictEqual((yield* Effect.flip(readIndex(old.node, timeoutMs)))._tag, "NotDone")
      for (const other of others) heal(network, [old.nodeId, other.nodeId])
      yield* eventually("the old leader caught up", () =>
        old.machine.applied.index === leader.machine.applied.index ? true : undefined
      )
      yield* sameState(nodes)
      const emails = [...old.machine.applied.byModel.get("User")!.rows.values()].map((row) => row.data.email).sort()
      assert.deepStrictEqual(emails, ["after@x", "before@x"])
    }).pipe(Effect.scoped)
  )

  it.live(
    "all nodes stopped and started again hold what was acknowledged",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const run = <A, E>(use: (nodes: ReadonlyArray<Node>) => Effect.Effect<A, E, Scope.Scope>) =>
          Effect.gen(function* () {
            const network = makeMemoryNetwork()
            const nodes = yield* Effect.forEach(ids, (id) => startNode(network, root, id))
            return yield* use(nodes)
          }).pipe(Effect.scoped)
        yield* run((nodes) =>
          Effect.flatMap(leaderOf(nodes), ({ node }) =>
            Effect.forEach(["x", "y", "z"], (name) => submit(node, create(name), timeoutMs), { discard: true })
          )
        )
        yield* run((nodes) =>
          Effect.gen(function* () {
            yield* leaderOf(nodes)
            yield* sameState(nodes)
            assert.strictEqual(nodes[0]!.machine.applied.byModel.get("User")!.rows.size, 3)
          })
        )
      }),
    20_000
  )
})

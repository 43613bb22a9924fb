/** Nodes that form, crash while they do, come back empty, or lie about it. Real files; a network in memory. C16. */
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type * as Member from "../../src/Cluster/Member.ts"
import { layerDirectory } from "../../src/EventStore/Directory.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { encodeConfiguration } from "../../src/Raft/core/ConfigurationCodec.ts"
import { layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { Transport } from "../../src/Raft/peers/Transport.ts"
import { directory, ids, selfOf, startMember, until } from "../Raft/core/Members.ts"

const voters = ids.map((id) => ({ id, address: id, instanceId: id }))

/** A peer that the test plays, which is unformed. */
const startPeer = (network: MemoryNetwork, nodeId: string, instanceId = nodeId) =>
  Effect.map(Layer.build(layerMemory({ network, self: selfOf(nodeId, instanceId) })), (context) =>
    Context.get(context, Transport)
  )

const formAll = Effect.fnUntraced(function* (network: MemoryNetwork, root: string) {
  const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
  // An election may take longer than a read waits for a leader.
  yield* until("one of them leads", () => members.some((member) => member.node()?.core.role._tag === "Leader"))
  yield* Effect.forEach(members, (member) => member.readIndex)
  return members
})

const clusterIdOf = (member: Member.Member["Service"]) => member.clusterId()

describe("Formed", () => {
  it.live("a voter that comes back empty refuses, and says what to do; the others go on", () =>
    Effect.gen(function* () {
      const root = yield* directory
      yield* Effect.scoped(formAll(makeMemoryNetwork(), root))
      rmSync(join(root, "c"), { recursive: true })
      const network = makeMemoryNetwork()
      const [a] = yield* Effect.forEach(["a", "b"], (id) => startMember(network, root, id))
      const wiped = yield* startMember(network, root, "c", { instanceId: "c2" })
      const refused = yield* Effect.flip(wiped.stopped)
      assert.strictEqual(refused._tag === "FormingRefused" && refused.reason, "DataLost")
      assert.include(refused.message, "add it as a new member")
      assert.isAtLeast(yield* a!.readIndex, 2)
    }).pipe(Effect.scoped)
  )

  it.live("a member that lost its data and says so cannot vote, nor start a term (C15)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      yield* Effect.scoped(formAll(makeMemoryNetwork(), root))
      const network = makeMemoryNetwork()
      const [a, b] = yield* Effect.forEach(["a", "b"], (id) => startMember(network, root, id))
      yield* Effect.forEach([a!, b!], (member) => member.readIndex)
      const wiped = yield* startPeer(network, "c", "c2")
      const request = {
        _tag: "RequestVote",
        term: 1000,
        preVote: false,
        lastLogIndex: 1000,
        lastLogTerm: 999,
        transfer: false
      } as const
      // Past the time in which a living leader protects its followers, or a follower its leader.
      yield* Effect.forEach(
        Array.from({ length: 40 }),
        () =>
          Effect.sync(() => {
            for (const id of ["a", "b"]) wiped.send(id, "control", request)
          }).pipe(Effect.andThen(a!.readIndex)),
        { discard: true }
      )
      for (const member of [a!, b!]) assert.isBelow(member.node()!.core.currentTerm, 1000)
      const reply = { _tag: "HeartbeatReply", term: 1000, readNumber: 0 } as const
      for (const id of ["a", "b"]) wiped.send(id, "control", reply)
      yield* Effect.forEach([a!, b!], (member) => member.readIndex)
      for (const member of [a!, b!]) assert.isBelow(member.node()!.core.currentTerm, 1000)
    }).pipe(Effect.scoped)
  )

  it.live("a cluster that an unformed peer proposes is adopted by nobody", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const imposter = yield* startPeer(network, "c")
      const b = yield* startMember(network, root, "b")
      yield* until("they are connected", () => imposter.connected().has("b"))
      const payload = encodeConfiguration({ voters, learners: [] })
      const entry = { index: 1, term: 1, type: "configuration", payload } as const
      assert.isTrue(imposter.send("b", "control", { _tag: "Form", clusterId: "another", entry }))
      const a = yield* startMember(network, root, "a")
      yield* until("both are formed", () => [a, b].every((member) => member.clusterId() !== undefined))
      assert.strictEqual(clusterIdOf(a), clusterIdOf(b))
      assert.notStrictEqual(clusterIdOf(b), "another")
    }).pipe(Effect.scoped)
  )

  it.live("a crash between entry 1 and the cluster id forms one cluster all the same", () =>
    Effect.gen(function* () {
      const root = yield* directory
      for (const id of ["a", "b"]) {
        const log = Layer.provide(
          Layer.effectDiscard(
            Effect.flatMap(LogStore, (store) => {
              const payload = encodeConfiguration({ voters, learners: [] })
              const hardState = { currentTerm: 1, votedFor: undefined }
              return store.append([{ hardState, entries: [{ index: 1, term: 1, type: "configuration", payload }] }])
            })
          ),
          layerFile({ directory: join(root, id, "log") })
        )
        yield* Effect.scoped(Layer.build(layerDirectory({ directory: join(root, id), nodeId: id })))
        yield* Effect.scoped(Layer.build(log))
      }
      const members = yield* formAll(makeMemoryNetwork(), root)
      assert.strictEqual(new Set(members.map(clusterIdOf)).size, 1)
    }).pipe(Effect.scoped)
  )

  it.live("a formed node whose log and vote are gone does not begin another cluster", () =>
    Effect.gen(function* () {
      const root = yield* directory
      yield* Effect.scoped(formAll(makeMemoryNetwork(), root))
      for (const folder of ["log", "votes"]) rmSync(join(root, "a", folder), { recursive: true })
      const network = makeMemoryNetwork()
      // Twice: what the first start leaves behind must not let the second one pass.
      for (const _ of [1, 2]) {
        const scope = yield* Scope.make()
        const member = yield* Scope.provide(startMember(network, root, "a"), scope)
        assert.strictEqual((yield* Effect.flip(member.stopped))._tag, "LogCorrupt")
        yield* Scope.close(scope, Exit.void)
      }
      assert.deepStrictEqual(readdirSync(join(root, "a", "log")), [])
    }).pipe(Effect.scoped)
  )

  it.live("a formed node whose log is gone, and its vote is not, takes the log of its cluster again", () =>
    Effect.gen(function* () {
      const root = yield* directory
      yield* Effect.scoped(formAll(makeMemoryNetwork(), root))
      rmSync(join(root, "a", "log"), { recursive: true })
      const members = yield* formAll(makeMemoryNetwork(), root)
      yield* until("it has repaired its log", () => members[0]!.node()?.core.repairing === undefined)
      assert.strictEqual(new Set(members.map(clusterIdOf)).size, 1)
      assert.isAtLeast(yield* members[0]!.readIndex, 2)
    }).pipe(Effect.scoped)
  )

  it.live("an unformed node that did not hear the proposal is told again", () =>
    Effect.gen(function* () {
      const root = yield* directory
      yield* Effect.scoped(formAll(makeMemoryNetwork(), root))
      rmSync(join(root, "c"), { recursive: true })
      const network = makeMemoryNetwork()
      yield* startMember(network, root, "a")
      const late = yield* startPeer(network, "c")
      const heard: Array<string> = []
      yield* Effect.forkScoped(
        late.run((event) => {
          if (event._tag === "Received") heard.push(event.message._tag)
        })
      )
      yield* until("it was told twice", () => heard.filter((tag) => tag === "Form").length >= 2)
    }).pipe(Effect.scoped)
  )
})

/** Three members from empty directories: real files, a network in memory, real time with bounded waits. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { layerDirectory } from "../../src/EventStore/Directory.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Member from "../../src/Raft/Member.ts"
import { layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../src/Raft/MemoryNetwork.ts"
import { Transport } from "../../src/Raft/Transport.ts"
import { descriptors } from "../Machine/Store.ts"

const ids = ["a", "b", "c"]

/** `starved` receives no entries from now on, while everything else goes on. */
interface Links {
  starved: string | undefined
}

const startMember = (
  network: MemoryNetwork,
  root: string,
  nodeId: string,
  links: Links = { starved: undefined },
  instanceId = nodeId
) => {
  const peers = ids.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
  const self = { nodeId, address: nodeId, instanceId, peers }
  const transport = Layer.effect(
    Transport,
    Effect.map(Transport, (whole) =>
      Transport.of({
        ...whole,
        send: (to, lane, message) =>
          to === links.starved && message._tag === "AppendEntries" ? false : whole.send(to, lane, message)
      })
    )
  ).pipe(Layer.provide(layerMemory({ network, self })))
  return Member.layer({ self, models: descriptors }).pipe(
    Layer.provide(transport),
    Layer.provide(layerDirectory({ directory: join(root, nodeId), nodeId })),
    Layer.build,
    Effect.map((context) => Context.get(context, Member.Member))
  )
}

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const until = (what: string, holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`Never came true: ${what}`)))).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 1000 })
  )

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

describe("Member", () => {
  it.live("three empty nodes form one cluster, and a write to any of them is agreed by all (RAFT C16)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
      yield* until("all are formed", () => members.every((member) => member.clusterId() !== undefined))
      assert.strictEqual(new Set(members.map((member) => member.clusterId())).size, 1)
      const done = yield* Effect.forEach(members, (member, at) => member.submit(create(`u${at}`)))
      for (const member of members) {
        assert.isAtLeast(yield* member.readIndex, Math.max(...done.map(({ index }) => index)))
        assert.strictEqual(member.tables.byModel.get("User")!.rows.size, 3)
      }
      yield* until("hashes are equal", () => new Set(members.map(({ tables }) => Tables.stateHash(tables))).size === 1)
      const taken = yield* Effect.forEach(members, (member) => member.submit(create("u0")))
      assert.deepStrictEqual(
        taken.map(({ answer }) => answer._tag),
        ["Rejected", "Rejected", "Rejected"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("a member alone refuses: it is in a minority (C18)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* startMember(makeMemoryNetwork(), root, "a")
      assert.strictEqual((yield* Effect.flip(member.submit(create("x"))))._tag, "NotDone")
      assert.strictEqual((yield* Effect.flip(member.readIndex))._tag, "NotDone")
    }).pipe(Effect.scoped)
  )

  it.live("a formed cluster, stopped and started, is the same cluster with the same records", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const run = <A, E>(use: (members: ReadonlyArray<Member.Member["Service"]>) => Effect.Effect<A, E>) =>
        Effect.gen(function* () {
          const network = makeMemoryNetwork()
          const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
          yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
          return yield* use(members)
        }).pipe(Effect.scoped)
      const before = yield* run((members) =>
        Effect.as(
          Effect.forEach(members, (member, at) => member.submit(create(`u${at}`))),
          members[0]!.clusterId()
        )
      )
      yield* run((members) =>
        Effect.gen(function* () {
          yield* Effect.forEach(members, (member) => member.readIndex)
          for (const member of members) {
            assert.strictEqual(member.clusterId(), before ?? member.clusterId())
            assert.strictEqual(member.tables.byModel.get("User")!.rows.size, 3)
          }
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("a read of a follower that no entries reach is refused in time", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const links: Links = { starved: undefined }
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, links))
      yield* Effect.forEach(members, (member) => member.readIndex)
      const follower = members.find((member) => member.leader() !== member.self.nodeId)!
      links.starved = follower.self.nodeId
      const leader = members.find((member) => member.leader() === member.self.nodeId)!
      yield* leader.submit(create("x"))
      const refused = yield* Effect.flip(follower.readIndex).pipe(Effect.timeout("3 seconds"))
      assert.strictEqual(refused._tag, "NotDone")
      links.starved = undefined
      assert.isAtLeast(yield* follower.readIndex, leader.tables.index)
    }).pipe(Effect.scoped)
  )
})

/** Members on real files whose disk takes no further segment, as one that is nearly full; the network is in memory. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import * as Member from "../../../src/Cluster/Member.ts"
import { layer as layerMember } from "../../../src/Cluster/makeMember.ts"
import { layerDirectory } from "../../../src/EventStore/Directory.ts"
import { FileSystem } from "../../../src/EventStore/FileSystem.ts"
import * as LocalNode from "../../../src/Local/LocalNode.ts"
import * as Tables from "../../../src/Machine/Tables.ts"
import { layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { faults, recorded } from "../../EventStore/Disk.ts"
import { descriptors } from "../../Machine/Store.ts"

type Running = Member.Member["Service"]

const ids = ["a", "b", "c"]

const start = (network: MemoryNetwork, root: string, nodeId: string) => {
  const peers = ids.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
  const self = { nodeId, address: nodeId, instanceId: nodeId, peers }
  return layerMember({ self, models: descriptors }).pipe(
    Layer.merge(LocalNode.layer({ models: descriptors })),
    Layer.provide(layerMemory({ network, self })),
    Layer.provide(layerDirectory({ directory: join(root, nodeId), nodeId })),
    Layer.build,
    Effect.provideService(FileSystem, recorded)
  )
}

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-room-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The disks of these nodes take no next segment until the scope closes, or there is room again. */
const fullDisks = (root: string, full: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      faults.write = (path) =>
        path.endsWith("next.segment") && full.some((id) => path.startsWith(join(root, id))) ? "ENOSPC" : undefined
    }),
    () => roomAgain
  )
const roomAgain = Effect.sync(() => {
  faults.write = undefined
})

const until = (what: string, holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`Never came true: ${what}`)))).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 1500 })
  )

const leaderAmong = (members: ReadonlyArray<Running>) =>
  members.find((member) => member.leader() === member.self.nodeId && member.node()?.core.role._tag === "Leader")

/** More than half of a segment, so that the next one is wanted. */
const fillHalf = (member: Running) =>
  Effect.forEach(
    Array.from({ length: 30 }, (_, number) => `${number}${"x".repeat(300_000)}@x`),
    (email) => Effect.ignore(member.submit({ _tag: "Create", model: "User", data: { email } })),
    { concurrency: 4, discard: true }
  )

const write = (member: Running, email: string) => member.submit({ _tag: "Create", model: "User", data: { email } })

describe("a disk that is nearly full", () => {
  it.live(
    "its node refuses writes as certainly not done, hands over and reads on; others lead, and it goes on once there is room (docs/raft.md, Disk)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const contexts = yield* Effect.forEach(ids, (id) => start(network, root, id))
        const members = contexts.map((context) => Context.get(context, Member.Member))
        yield* until("there is a leader", () => leaderAmong(members) !== undefined)
        const short = leaderAmong(members)!
        const others = members.filter((member) => member !== short)
        yield* fullDisks(root, [short.self.nodeId])
        yield* fillHalf(short)
        yield* until("the node without room knows it", () => short.node()?.isStorageShort() === true)
        const refused = yield* Effect.flip(write(short, "refused@x"))
        assert.deepStrictEqual(
          [refused._tag, refused._tag === "NotDone" && refused.reason],
          ["NotDone", "storage-full"]
        )
        yield* until("another leads", () => leaderAmong(others) !== undefined)
        yield* write(others[0]!, "there@x")
        yield* short.readIndex
        const emails = () => {
          const rows = [...short.tables.byModel.get("User")!.rows.values()]
          return rows.map(({ data }) => data.email).filter((email) => String(email).length < 20)
        }
        assert.deepStrictEqual(emails(), ["there@x"])
        yield* roomAgain
        yield* until("the node has room again", () => short.node()?.isStorageShort() === false)
        yield* write(short, "again@x")
        yield* Effect.forEach(members, (member) => member.readIndex)
        assert.strictEqual(new Set(members.map((member) => Tables.stateHash(member.tables))).size, 1)
      }).pipe(Effect.scoped),
    60_000
  )
})

/** Archives of real members: real files, a cluster of one in memory, real time with bounded waits. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { encodeManifest } from "../../src/Backup/Manifest.ts"
import { fileArchive, loadArchive, loadArchives } from "../../src/Backup/ReadArchive.ts"
import { type Taking, takeArchive } from "../../src/Backup/TakeArchive.ts"
import { archivePieces, writeArchive } from "../../src/EventStore/ArchiveFile.ts"
import { makeArchiveEncoder } from "../../src/EventStore/ArchiveFormat.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import type { RaftConfig } from "../../src/Raft/core/RaftConfig.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { alone, directory, littleHistory, type Running, startMember, until } from "../Raft/core/Members.ts"

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

const write = (member: Running, from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, at) => `u${from + at}`),
    (name) => member.submit(create(name)),
    { concurrency: 16 }
  )

/** A cluster of one that leads. */
const started = Effect.fnUntraced(function* (root: string, options: { readonly config?: Partial<RaftConfig> } = {}) {
  const member = yield* startMember(makeMemoryNetwork(), root, "a", { ...alone, ...options })
  yield* until("it leads", () => member.leader() !== undefined)
  return member
})

/** An archive of the member in `directory`, verified. */
const archive = Effect.fnUntraced(function* (member: Running, directory: string, name: string, options: Taking = {}) {
  const taken = yield* takeArchive(member, options)
  yield* writeArchive({ directory, name, bytes: taken.bytes, isWhole: () => Effect.void })
  return { path: join(directory, name), manifest: taken.manifest }
}, Effect.scoped)

const refusal = (path: string) => Effect.map(Effect.flip(loadArchive(path)), ({ message }) => message)

describe("an archive of a member", () => {
  it.live("holds the state at its index, though writes go on", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* started(root)
      yield* write(member, 0, 200)
      const hash = Tables.stateHash(member.tables)
      const taken = yield* takeArchive(member)
      const more = yield* Effect.forkChild(write(member, 200, 400))
      yield* writeArchive({ directory: root, name: "x", bytes: taken.bytes, isWhole: () => Effect.void })
      const loaded = yield* loadArchive(join(root, "x"))
      assert.strictEqual(loaded.manifest.stateHash, hash)
      assert.strictEqual(Tables.stateHash(loaded.state!.tables), hash)
      assert.deepStrictEqual(
        loaded.manifest.models.filter(({ name }) => name === "User").map(({ records }) => records),
        [200]
      )
      yield* Fiber.join(more)
    }).pipe(Effect.scoped)
  )

  it.live("is not taken of tables that are ahead of what the node says is applied", () =>
    Effect.gen(function* () {
      const member = yield* started(yield* directory)
      const { clusterId, feed, node, self, snapshots, tables } = member
      // Far ahead, since the member goes on meanwhile.
      const ahead = { ...tables, index: tables.index + 1000 }
      const refused = yield* Effect.flip(takeArchive({ clusterId, feed, node, self, snapshots, tables: ahead }))
      assert.strictEqual(refused._tag, "NotReady")
    }).pipe(Effect.scoped)
  )

  it.live("with its entries gives the state at any of them", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* started(root)
      const hashes = new Map<number, string>()
      for (let at = 0; at < 20; at++) {
        const { index } = yield* member.submit(create(`u${at}`))
        hashes.set(index, Tables.stateHash(member.tables))
      }
      const { path } = yield* archive(member, root, "x", { after: 0 })
      for (const [index, hash] of hashes) {
        const { state } = yield* loadArchive(path, { point: { _tag: "Index", index } })
        assert.strictEqual(Tables.stateHash(state!.tables), hash, `at ${index}`)
      }
      const past = yield* Effect.flip(loadArchive(path, { point: { _tag: "Index", index: 1_000 } }))
      assert.include(past.message, "The newest state here is that of index")
    }).pipe(Effect.scoped)
  )

  it.live("goes back to the newest snapshot before the point, and says what it cannot reach", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const config = { ...littleHistory, snapshotAfterBytes: 5_000 }
      const member = yield* started(root, { config })
      yield* write(member, 0, 300)
      yield* until("a snapshot was taken", () => (member.node()?.core.snapshot?.index ?? 0) > 0)
      const { index } = member.node()!.core.snapshot!
      const { manifest, path } = yield* archive(member, root, "x", { after: index })
      assert.isAtMost(manifest.snapshot!.index, index)
      assert.isAbove(manifest.last.index, manifest.snapshot!.index)
      const { state } = yield* loadArchive(path)
      assert.strictEqual(Tables.stateHash(state!.tables), Tables.stateHash(member.tables))
      const early = { _tag: "Index", index: manifest.snapshot!.index - 1 } as const
      assert.include((yield* Effect.flip(loadArchive(path, { point: early }))).message, "The oldest state here")
    }).pipe(Effect.scoped)
  )

  it.live("is refused when its state is another than its manifest says, though all its bytes are right", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* started(root)
      yield* write(member, 0, 3)
      const { manifest, path } = yield* archive(member, root, "x")
      const pieces = yield* Stream.runCollect(archivePieces(path))
      const encoder = makeArchiveEncoder()
      const forged = pieces.map((piece): Uint8Array => {
        switch (piece._tag) {
          case "Manifest":
            return encoder.begin(encodeManifest(manifest))
          case "Snapshot":
            return encoder.snapshot(Buffer.from(Buffer.from(piece.content).toString().replace("u1@x", "v1@x")))
          case "Entries":
            return encoder.entries(piece.entries)
          default:
            return encoder.end()
        }
      })
      writeFileSync(path, Buffer.concat(forged))
      assert.include(yield* refusal(path), "its state has the hash")
    }).pipe(Effect.scoped)
  )

  it.live(
    "goes on from a state by its entries alone; any byte flipped in either, a gap or another cluster is found",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const member = yield* started(root)
        yield* write(member, 0, 3)
        const state = yield* archive(member, root, "state")
        yield* write(member, 3, 6)
        const first = yield* archive(member, root, "first", { entriesAfter: state.manifest.last.index })
        const hash = Tables.stateHash(member.tables)
        yield* write(member, 6, 8)
        // It begins with entries that the one before it ends with.
        const second = yield* archive(member, root, "second", { entriesAfter: first.manifest.last.index - 2 })
        const chain = [state, first, second].map(({ path }) => fileArchive(path))
        const loaded = yield* loadArchives(chain)
        assert.strictEqual(Tables.stateHash(loaded.state!.tables), Tables.stateHash(member.tables))
        const point = { _tag: "Index", index: first.manifest.last.index } as const
        assert.strictEqual(Tables.stateHash((yield* loadArchives(chain, { point })).state!.tables), hash)

        const refused = (archives: typeof chain) =>
          Effect.map(Effect.flip(loadArchives(archives)), ({ message }) => message)
        assert.include(yield* refused([chain[0]!, chain[2]!]), "it goes on after entry")
        assert.include(yield* refused([chain[0]!, chain[0]!]), "it holds a state, and entries were expected")
        assert.isUndefined((yield* loadArchives([chain[1]!])).state, "entries alone have no state")
        const other = yield* started(yield* directory)
        yield* write(other, 0, 9)
        const foreign = yield* archive(other, root, "foreign", { entriesAfter: 1 })
        assert.include(yield* refused([chain[0]!, fileArchive(foreign.path)]), "it is one of another cluster")

        for (const { path } of [state, first, second]) {
          const whole = readFileSync(path)
          for (let at = 0; at < whole.length; at += 37) {
            const bytes = Buffer.from(whole)
            bytes[at]! ^= 1 << (at % 8)
            writeFileSync(path, bytes)
            assert.include(yield* refused(chain), "Cannot read archive", `byte ${at} of ${path}`)
          }
          writeFileSync(path, whole)
        }
        yield* loadArchives(chain)
      }).pipe(Effect.scoped)
  )

  it.live("is refused with any byte flipped, or cut anywhere", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* started(root)
      yield* write(member, 0, 3)
      const { path } = yield* archive(member, root, "x", { after: 0 })
      const whole = readFileSync(path)
      const damaged = join(root, "damaged")
      for (let at = 0; at < whole.length; at += 7) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 0xff
        writeFileSync(damaged, bytes)
        assert.include(yield* refusal(damaged), "Cannot read archive", `byte ${at}`)
        writeFileSync(damaged, whole.subarray(0, at))
        assert.include(yield* refusal(damaged), "Cannot read archive", `cut at ${at}`)
      }
    }).pipe(Effect.scoped)
  )
})

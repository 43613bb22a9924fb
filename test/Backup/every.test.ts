/** Scheduled backups of real members: real files, a bucket of a real server, real time with bounded waits. */
import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Latch, Layer, Result, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Backups from "../../src/Backup/Backups.ts"
import { inDirectory } from "../../src/Backup/DirectoryStore.ts"
import { type EveryOptions, every } from "../../src/Backup/Every.ts"
import { merge, mergedCount } from "../../src/Backup/Merging.ts"
import { ObjectStore } from "../../src/Backup/ObjectStore.ts"
import { loadArchives } from "../../src/Backup/ReadArchive.ts"
import type { Point } from "../../src/Backup/Replay.ts"
import { layerS3 } from "../../src/Backup/S3Store.ts"
import { ship, shippedOf, storedArchive } from "../../src/Backup/Ship.ts"
import { chainTo, type Entries, lastOf, nameOf, type Shipped } from "../../src/Backup/Shipped.ts"
import { Member } from "../../src/Cluster/Member.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { alone, directory, littleHistory, type Running, startMember, until } from "../Raft/core/Members.ts"
import { bucket, credentials, startS3 } from "../support/S3Server.ts"

type Store = ObjectStore["Service"]

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

const write = (member: Running, from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, at) => `u${from + at}`),
    (name) => member.submit(create(name)),
    { concurrency: 16 }
  )

/** Runs a scheduled backup of a member until the scope closes, and gives how it stands. */
const backedUp = Effect.fnUntraced(function* (member: Running, store: Store, options: Partial<EveryOptions> = {}) {
  const times = { snapshot: "1 hour", log: "30 millis", keep: "1 hour", ...options } as const
  const context = yield* every(times, Layer.succeed(ObjectStore, store)).pipe(
    Layer.provideMerge(Backups.layer),
    Layer.provide(Layer.succeed(Member, member)),
    Layer.build
  )
  return () => Context.get(context, Backups.Backups).status()[0]!
})

const leading = Effect.fnUntraced(function* (root: string, nodeId = "a", config = {}) {
  const member = yield* startMember(makeMemoryNetwork(), root, nodeId, { ...alone, config })
  yield* until("it leads", () => member.leader() !== undefined)
  return member
})

/** The state at a point, rebuilt from the store. */
const rebuilt = Effect.fnUntraced(function* (store: Store, folder: string, point?: Point) {
  const all = yield* shippedOf(store, folder)
  const { entries, snapshot } = Result.getOrThrow(chainTo(all, point))
  const archives = [snapshot, ...entries].map((each) => storedArchive(store, folder, each))
  const { state } = yield* loadArchives(archives, { point })
  return { ...state!, all }
})

const count = (all: ReadonlyArray<Shipped>, tag: Shipped["_tag"]) => all.filter(({ _tag }) => _tag === tag).length

const bucketOf = Effect.gen(function* () {
  const { endpoint } = yield* startS3
  const layer = layerS3({ bucket, prefix: "p", endpoint, ...credentials })
  return Context.get(yield* Layer.build(Layer.provide(layer, FetchHttpClient.layer)), ObjectStore)
})

for (const [name, made] of [
  ["a directory", Effect.map(directory, (root) => inDirectory(join(root, "store")))],
  ["a bucket", bucketOf]
] as const) {
  describe(`a scheduled backup to ${name}`, () => {
    it.live("ships a state and the entries after it, under load, for restores to any of them", () =>
      Effect.gen(function* () {
        const member = yield* leading(yield* directory)
        const store = yield* made
        yield* write(member, 0, 50)
        const status = yield* backedUp(member, store)
        const hashes = new Map<number, string>()
        yield* until("a state is there", () => status().snapshot !== undefined)
        for (let at = 50; at < 250; at++) {
          const { index } = yield* member.submit(create(`u${at}`))
          hashes.set(index, Tables.stateHash(member.tables))
        }
        const lastIndex = member.feed.appliedIndex()
        yield* until("all is there", () => status().index === lastIndex)
        assert.deepInclude(status(), { isShipping: true, lagCount: 0, failure: undefined, place: store.place })
        const folder = member.clusterId()!
        const { all, index, tables } = yield* rebuilt(store, folder)
        assert.deepStrictEqual([index, Tables.stateHash(tables)], [lastIndex, Tables.stateHash(member.tables)])
        assert.strictEqual(count(all, "Snapshot"), 1)
        assert.isAbove(count(all, "Entries"), 1)
        assert.strictEqual(lastOf(all).index, lastIndex)
        const asked = [...hashes].filter((_, at) => at % 40 === 0)
        for (const [index, hash] of asked) {
          const found = yield* rebuilt(store, folder, { _tag: "Index", index })
          assert.strictEqual(Tables.stateHash(found.tables), hash, `at ${index}`)
        }
      }).pipe(Effect.scoped)
    )
  })
}

describe("a scheduled backup", () => {
  it.live("reaches each moment between its states", () =>
    Effect.gen(function* () {
      const member = yield* leading(yield* directory)
      const store = inDirectory(yield* directory)
      const status = yield* backedUp(member, store, { snapshot: "50 millis", log: "20 millis" })
      const hashes = new Map<number, string>()
      const states = new Set<number>()
      for (let at = 0; states.size < 4; at++) {
        const { index } = yield* member.submit(create(`u${at}`))
        hashes.set(index, Tables.stateHash(member.tables))
        const shipped = status().snapshot?.index
        if (shipped !== undefined) states.add(shipped)
      }
      const lastIndex = member.feed.appliedIndex()
      yield* until("all is there", () => status().index === lastIndex)
      const all = yield* shippedOf(store, member.clusterId()!)
      const oldest = Math.min(...all.flatMap(({ _tag, index }) => (_tag === "Snapshot" ? [index] : [])))
      for (const [index] of hashes) {
        if (index < oldest) continue
        assert.isTrue(Result.isSuccess(chainTo(all, { _tag: "Index", index })), `at ${index}`)
      }
    }).pipe(Effect.scoped)
  )

  it.live("puts one archive of entries in the place of a hundred, and still reaches each moment", () =>
    Effect.gen(function* () {
      const member = yield* leading(yield* directory)
      const store = inDirectory(yield* directory)
      const status = yield* backedUp(member, store, { log: "10 millis" })
      yield* until("a state is there", () => status().snapshot !== undefined)
      const folder = member.clusterId()!
      const hashes = new Map<number, string>()
      let most = 0
      let all: ReadonlyArray<Shipped> = []
      // Each write is in an archive of its own, until so many are one.
      for (let at = 0; count(all, "Entries") >= most; at++) {
        most = count(all, "Entries")
        const { index } = yield* member.submit(create(`u${at}`))
        hashes.set(index, Tables.stateHash(member.tables))
        yield* until("it is shipped", () => status().index >= index)
        all = yield* shippedOf(store, folder)
        // The hundred, the one in their place while they are removed, and what is shipped meanwhile.
        assert.isAtMost(most, 2 * mergedCount)
      }
      assert.isAbove(most, mergedCount / 2)
      for (const [index, hash] of [...hashes].filter((_, at) => at % 25 === 0)) {
        const found = yield* rebuilt(store, folder, { _tag: "Index", index })
        assert.strictEqual(Tables.stateHash(found.tables), hash, `at ${index}`)
      }
    }).pipe(Effect.scoped)
  )

  it.live("ships on while it puts many archives into one", () =>
    Effect.gen(function* () {
      const member = yield* leading(yield* directory)
      const sound = inDirectory(yield* directory)
      const [begun, gate] = [yield* Deferred.make<void>(), yield* Latch.make(false)]
      let isFirst = true
      // The one in the place of many goes on from where the first one did.
      const firsts = new Set<string>()
      const store: Store = {
        ...sound,
        put: (name, bytes) => {
          const after = /-after-(\d+)/.exec(name)?.[1]
          const isMerged = after !== undefined && firsts.has(after)
          if (after !== undefined && isFirst) firsts.add(after)
          if (after !== undefined) isFirst = false
          return isMerged
            ? Effect.andThen(Deferred.succeed(begun, undefined), gate.whenOpen(sound.put(name, bytes)))
            : sound.put(name, bytes)
        }
      }
      const status = yield* backedUp(member, store, { log: "10 millis" })
      yield* until("a state is there", () => status().snapshot !== undefined)
      let written = 0
      const shipOne = Effect.gen(function* () {
        const { index } = yield* member.submit(create(`u${written++}`))
        yield* until("it is shipped", () => status().index >= index)
      })
      for (let at = 0; at < mergedCount; at++) yield* shipOne
      yield* Deferred.await(begun).pipe(Effect.timeout("10 seconds"))
      for (let at = 0; at < 3; at++) yield* shipOne
      const hash = Tables.stateHash(member.tables)
      yield* gate.open
      const folder = member.clusterId()!
      let all: ReadonlyArray<Shipped> = []
      yield* Effect.map(shippedOf(store, folder), (found) => {
        all = found
        return count(found, "Entries") < mergedCount / 2
      }).pipe(
        Effect.filterOrFail((isMerged) => isMerged),
        Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 1_000 })
      )
      assert.isAtLeast(count(all, "Entries"), 4)
      assert.strictEqual(Tables.stateHash((yield* rebuilt(store, folder)).tables), hash)
    }).pipe(Effect.scoped)
  )

  it.live("brings no entries back that are gone from the store when it puts many archives into one", () =>
    Effect.gen(function* () {
      const member = yield* leading(yield* directory)
      const store = inDirectory(yield* directory)
      const folder = member.clusterId()!
      const archives: Array<Entries> = []
      let afterIndex = member.feed.appliedIndex()
      for (let at = 0; at < 3; at++) {
        yield* write(member, at, at + 1)
        const shipped = yield* ship(member, store, { entriesAfter: afterIndex })
        if (shipped._tag === "Entries") archives.push(shipped)
        afterIndex = shipped.index
      }
      const [oldest, second] = archives
      yield* store.remove(`${folder}/${nameOf(oldest!)}`)
      const merged = yield* merge(member, store, folder, archives)
      assert.deepInclude(merged, { afterIndex: second!.afterIndex, index: afterIndex })
      assert.deepStrictEqual(yield* shippedOf(store, folder), [merged!])
      assert.isUndefined(yield* merge(member, store, folder, archives))
    }).pipe(Effect.scoped)
  )

  it.live("keeps the newest state and what leads back to the kept time; older ones go once a newer one is whole", () =>
    Effect.gen(function* () {
      const member = yield* leading(yield* directory)
      const store = inDirectory(yield* directory)
      const status = yield* backedUp(member, store, { snapshot: "60 millis", keep: "1 millis" })
      let indexes: ReadonlyArray<number> = []
      for (let at = 0; at < 5; at++) {
        const before = status().snapshot?.index ?? 0
        yield* write(member, at * 10, at * 10 + 10)
        yield* until("a newer state is there", () => (status().snapshot?.index ?? 0) > before)
        const all = yield* shippedOf(store, member.clusterId()!)
        indexes = all.flatMap(({ _tag, index }) => (_tag === "Snapshot" ? [index] : []))
        assert.isNotEmpty(indexes)
      }
      const lastIndex = member.feed.appliedIndex()
      yield* until("all is there", () => status().index === lastIndex)
      const all = yield* shippedOf(store, member.clusterId()!)
      assert.isAtMost(count(all, "Snapshot"), 2)
      const { tables } = yield* rebuilt(store, member.clusterId()!)
      assert.strictEqual(Tables.stateHash(tables), Tables.stateHash(member.tables))
    }).pipe(Effect.scoped)
  )

  it.live("goes on from what another leader shipped", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const store = inDirectory(join(root, "store"))
      const shippedBy = Effect.fnUntraced(function* (from: number) {
        const member = yield* leading(root)
        yield* write(member, from, from + 200)
        const status = yield* backedUp(member, store)
        yield* write(member, from + 200, from + 210)
        const lastIndex = member.feed.appliedIndex()
        yield* until("all is there", () => status().index >= lastIndex)
        const folder = member.clusterId()!
        const { all, tables } = yield* rebuilt(store, folder)
        assert.strictEqual(Tables.stateHash(tables), Tables.stateHash(member.tables))
        return { all, folder }
      }, Effect.scoped)
      const first = yield* shippedBy(0)
      const second = yield* shippedBy(300)
      assert.strictEqual(count(second.all, "Snapshot"), 1, "the next one goes on from there")
      assert.isAbove(count(second.all, "Entries"), count(first.all, "Entries"))
    }).pipe(Effect.scoped)
  )

  it.live("ships a state in place of entries that the node does not hold any more", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const store = inDirectory(join(root, "store"))
      const config = { ...littleHistory, snapshotAfterBytes: 5_000 }
      const member = yield* leading(root, "a", config)
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const status = yield* backedUp(member, store)
          yield* until("a state is there", () => status().snapshot !== undefined)
          return status().index
        })
      )
      yield* write(member, 0, 300)
      yield* until("a snapshot was taken", () => (member.node()?.core.log.firstIndex ?? 0) > first + 1)
      // The history of the node is lost: only its log is left.
      const feed = { ...member.feed, oldestIndex: () => member.node()!.core.log.firstIndex }
      const status = yield* backedUp({ ...member, feed, tables: member.tables }, store)
      yield* until("a newer state is there", () => (status().snapshot?.index ?? 0) > first)
      const { tables } = yield* rebuilt(store, member.clusterId()!)
      assert.strictEqual(Tables.stateHash(tables), Tables.stateHash(member.tables))
    }).pipe(Effect.scoped)
  )

  it.live("tells that its store fails, tries again, and goes on once the store is back", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* leading(root)
      const place = join(root, "store")
      writeFileSync(place, "no directory")
      const status = yield* backedUp(member, inDirectory(place))
      yield* until("it fails", () => status().failure !== undefined)
      assert.include(status().failure, "store")
      yield* write(member, 0, 10)
      assert.isAbove(status().lagCount, 0)
      rmSync(place)
      yield* until("it is back", () => status().failure === undefined && status().snapshot !== undefined)
      assert.isNotEmpty(readdirSync(join(place, member.clusterId()!)))
    }).pipe(Effect.scoped)
  )

  it.live("outlives a defect of its store, and refuses times at which it would never rest", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* leading(root)
      const sound = inDirectory(join(root, "store"))
      let isBroken = true
      const broken: Store = {
        ...sound,
        put: (name, bytes) => (isBroken ? Effect.die(new Error("a defect")) : sound.put(name, bytes))
      }
      const status = yield* backedUp(member, broken)
      yield* until("it fails", () => status().failure === "a defect")
      isBroken = false
      yield* until("it is there", () => status().snapshot !== undefined)
      const store = Layer.succeed(ObjectStore, sound)
      const times = { snapshot: "1 hour", log: "1 minute", keep: "1 day" } as const
      for (const wrong of [{ log: 0 }, { log: "2 hours" }, { snapshot: Number.POSITIVE_INFINITY }] as const) {
        assert.throws(() => every({ ...times, ...wrong }, store), "Backup.every")
      }
    }).pipe(Effect.scoped)
  )

  it.live("takes nothing for shipped that cannot be read back", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* leading(root)
      const sound = inDirectory(join(root, "store"))
      let isBroken = true
      const lossy: Store = {
        ...sound,
        put: (name, bytes) =>
          Effect.tap(sound.put(name, bytes), (lengthBytes) =>
            Effect.sync(() => {
              // The last byte never came to the disk.
              if (isBroken) writeFileSync(join(root, "store", name), new Uint8Array(lengthBytes - 1))
            })
          )
      }
      const status = yield* backedUp(member, lossy)
      yield* until("it fails", () => status().failure !== undefined)
      assert.isUndefined(status().snapshot)
      assert.deepStrictEqual(yield* sound.list(member.clusterId()!), [], "it is removed again")
      isBroken = false
      yield* until("it is there", () => status().snapshot !== undefined)
    }).pipe(Effect.scoped)
  )
})

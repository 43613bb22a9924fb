/** New clusters from archives and directories: real files, members on a network in memory, real time with bounded waits. */
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Result, Scope } from "effect"
import { baseAfter, spreadCount } from "../../src/Backup/Base.ts"
import { fileArchive, loadArchive } from "../../src/Backup/ReadArchive.ts"
import { bestOf, type NewCluster, recover, restore, survey } from "../../src/Backup/Restore.ts"
import { takeArchive } from "../../src/Backup/TakeArchive.ts"
import { writeArchive } from "../../src/EventStore/ArchiveFile.ts"
import { readIdentity, writeIdentity } from "../../src/EventStore/Directory.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { makeDirectory } from "../../src/EventStore/Files.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile as layerSnapshots } from "../../src/EventStore/Snapshots.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { alone, directory, type Running, startMember, until } from "../Raft/core/Members.ts"

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

const led = (member: Running) => until("it leads", () => member.leader() !== undefined)

/** The answer to a command that is accepted: its index, and the version and id of its record. */
const done = Effect.fnUntraced(function* (member: Running, command: Command) {
  const { index, result } = yield* member.submit(command)
  assert.strictEqual(result._tag, "Accepted")
  const operation = result._tag === "Accepted" ? result.answer.operations[0] : undefined
  assert.isDefined(operation)
  return { index, id: operation!.id, version: operation!.version }
})

const sourceOf = (path: string) => ({ archives: [fileArchive(path)] })

/** What a follower from the beginning sees: type, id and version of each event, and the index of its entry. */
const followed = Effect.fnUntraced(function* ({ feed }: Running) {
  const events: Array<readonly [index: number, type: string, id: string, version: number]> = []
  for (let index = 0; feed.countAfter(index) > 0; ) {
    for (const entry of yield* feed.read({ fromIndex: index + 1, maxBytes: 500 })) {
      assert.strictEqual(entry.index, feed.entryAfter(index), "no entry is left out")
      index = entry.index
      for (const { id, model, type, version } of entry.transaction?.events ?? []) {
        if (model === "User") events.push([index, type, id, version])
      }
    }
  }
  return events
})

/** A cluster of one with some records, stopped again; its archives are `root/x` and, of the state alone, `root/state`. */
const former = Effect.fnUntraced(function* (root: string) {
  const scope = yield* Scope.make()
  const member = yield* Scope.provide(startMember(makeMemoryNetwork(), root, "a", alone), scope)
  yield* led(member)
  const made = []
  for (const name of ["u0", "u1", "u2", "u3"]) made.push(yield* done(member, create(name)))
  yield* done(member, { _tag: "Delete", model: "User", id: made[3]!.id })
  const keyed: Command = { ...create("keyed"), key: "k", fingerprint: "f" }
  const { index: keyedIndex } = yield* member.submit(keyed)
  const taken = yield* takeArchive(member, { after: 0 })
  yield* writeArchive({ directory: root, name: "x", bytes: taken.bytes, isWhole: () => Effect.void })
  const state = yield* takeArchive(member)
  yield* writeArchive({ directory: root, name: "state", bytes: state.bytes, isWhole: () => Effect.void })
  const events = yield* followed(member)
  const found = {
    events,
    made,
    keyed,
    keyedIndex,
    hash: Tables.stateHash(member.tables),
    clusterId: member.clusterId()!
  }
  yield* Scope.close(scope, Exit.void)
  return { ...found, archive: join(root, "x") }
}, Effect.scoped)

/** Runs the node of a new cluster. */
const started = Effect.fnUntraced(function* (root: string, nodeId: string) {
  const { instanceId } = yield* readIdentity(join(root, nodeId))
  const member = yield* startMember(makeMemoryNetwork(), root, nodeId, { ...alone, instanceId })
  yield* led(member)
  return member
})

/** It has the former records as they were, and goes on above its base. */
const checkGoesOn = Effect.fnUntraced(function* (
  root: string,
  member: Running,
  { base, clusterId }: NewCluster,
  { clusterId: formerId, keyed, keyedIndex, made }: Effect.Success<ReturnType<typeof former>>
) {
  assert.strictEqual(member.clusterId(), clusterId)
  assert.deepInclude(member.tables.restored, { versionFloor: base, formerClusterIds: [formerId] })
  for (const { id, index, version } of made.slice(0, 3)) {
    const row = Tables.get(member.tables, "User", id)
    assert.deepStrictEqual([row?.version, row?.index], [version, index])
  }
  // Its outcome was kept: it is not done again.
  const again = yield* member.submit(keyed)
  assert.deepStrictEqual([again.result._tag, again.result.replayedIndex], ["Accepted", keyedIndex])
  const [one, two, , deleted] = made
  const given = [
    yield* done(member, { _tag: "Patch", model: "User", id: one!.id, data: { email: "new@x" } }),
    yield* done(member, { _tag: "Delete", model: "User", id: two!.id }),
    yield* done(member, { _tag: "Put", model: "User", id: deleted!.id, data: { email: "back@x" } }),
    yield* done(member, create("fresh"))
  ]
  for (const { index, version } of given) {
    assert.isAbove(index, base)
    assert.isAbove(version, base)
  }
  // The node believes the hash that it began with: an archive of it holds only if that was the hash of its state.
  const taken = yield* takeArchive(member)
  yield* writeArchive({ directory: root, name: "again", bytes: taken.bytes, isWhole: loadArchive })
  return given
}, Effect.scoped)

const refusal = <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

describe("restore", () => {
  it.live("begins a cluster with the archive's state; two restores share no index and no version", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const given = []
      for (const nodeId of ["r1", "r2"]) {
        const made = yield* restore({
          source: sourceOf(old.archive),
          directory: join(root, nodeId),
          address: "h:1",
          nodeId
        })
        assert.deepStrictEqual([made.stateHash, made.formerClusterId, made.nodeId], [old.hash, old.clusterId, nodeId])
        const member = yield* started(root, nodeId)
        given.push(yield* checkGoesOn(root, member, made, old))
      }
      for (const { index, version } of given[0]!) {
        assert.isFalse(given[1]!.some((other) => other.index === index || other.version === version))
      }
    }).pipe(Effect.scoped)
  )

  it.live("keeps the whole history of an archive that has it; its events come before those of the new cluster", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const made = yield* restore({
        source: sourceOf(old.archive),
        directory: join(root, "r"),
        address: "h:1",
        nodeId: "r"
      })
      assert.isTrue(made.isHistoryWhole)
      const member = yield* started(root, "r")
      assert.deepStrictEqual(yield* followed(member), old.events)
      const given = yield* checkGoesOn(root, member, made, old)
      const all = yield* followed(member)
      assert.deepStrictEqual(all.slice(0, old.events.length), old.events)
      assert.deepStrictEqual(
        all.slice(old.events.length).map(([index]) => index),
        given.map(({ index }) => index)
      )
    }).pipe(Effect.scoped)
  )

  it.live("begins the history of another archive, or of a point in it, with each record as created", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const made = yield* restore({
        source: sourceOf(join(root, "state")),
        directory: join(root, "r"),
        address: "h:1",
        nodeId: "r"
      })
      assert.isFalse(made.isHistoryWhole)
      const member = yield* started(root, "r")
      const rows = [...member.tables.byModel.get("User")!.rows.entries()]
      const first = yield* followed(member)
      assert.deepStrictEqual(
        first.map(([, type, id, version]) => [type, id, version]),
        rows
          .toSorted(([, one], [, other]) => one.createdIndex - other.createdIndex)
          .map(([id, { version }]) => ["created", id, version])
      )
      assert.isTrue(first.every(([index]) => index <= made.base))
      yield* checkGoesOn(root, member, made, old)
      assert.deepStrictEqual((yield* followed(member)).slice(0, first.length), first)

      const point = { _tag: "Index", index: old.made[1]!.index } as const
      const early = yield* restore({
        source: sourceOf(old.archive),
        directory: join(root, "p"),
        address: "h:1",
        nodeId: "p",
        point
      })
      assert.isTrue(early.isHistoryWhole)
      assert.deepStrictEqual(yield* followed(yield* started(root, "p")), old.events.slice(0, 2))
    }).pipe(Effect.scoped)
  )

  it.live("goes into an empty directory only, and the archive must reach the point", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { archive } = yield* former(root)
      const into = { source: sourceOf(archive), address: "h:1", nodeId: "r" }
      assert.include(yield* refusal(restore({ ...into, directory: join(root, "a") })), "is not empty")
      const late = { _tag: "Index", index: 99 } as const
      assert.include(yield* refusal(restore({ ...into, directory: join(root, "b"), point: late })), "newest state")
      assert.isFalse(readdirSync(root).includes("b"), "nothing is left behind")
      writeFileSync(archive, "no archive")
      assert.include(yield* refusal(restore({ ...into, directory: join(root, "b") })), "Cannot read archive")
    }).pipe(Effect.scoped)
  )
})

describe("recover", () => {
  it.live("takes the place of a node's data with its whole log, and keeps the former files aside", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const at = join(root, "a")
      const { lastIndex, lastTerm } = yield* survey(at)
      const place = { directory: at, address: "h:1" }
      const other = { term: lastTerm, index: lastIndex - 1 }
      assert.include(
        yield* refusal(recover({ ...place, acceptLossAfter: other })),
        'run "lithair recover --survey" again'
      )
      const made = yield* recover({ ...place, acceptLossAfter: { term: lastTerm, index: lastIndex } })
      assert.strictEqual(made.nodeId, "a", "the id is the directory's")
      assert.includeMembers(readdirSync(at), [`log.before-${made.base}`, `node.json.before-${made.base}`])
      assert.isTrue(made.isHistoryWhole)
      const member = yield* started(root, "a")
      assert.deepStrictEqual(yield* followed(member), old.events)
      yield* checkGoesOn(root, member, made, old)
    }).pipe(Effect.scoped)
  )

  it.live("goes from a leader's snapshot that arrived, though the log has not noted it yet", () =>
    Effect.gen(function* () {
      const at = join(yield* directory, "a")
      yield* makeDirectory(at)
      yield* writeIdentity(at, { formatVersion: 1, clusterId: "old", nodeId: "a", instanceId: "i" })
      const configuration = new Uint8Array(0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const log = yield* Layer.build(layerFile({ directory: join(at, "log"), clusterId: "old" }))
          const entries = [1, 2, 3].map((index) => {
            return { index, term: 1, type: "noop", payload: new Uint8Array(0) } as const
          })
          yield* Context.get(log, LogStore).append([{ entries }])
          const snapshots = yield* Layer.build(layerSnapshots({ directory: join(at, "snapshots") }))
          const content = Snapshot.encode(Snapshot.take({ ...Tables.make([]), index: 900 }))
          yield* Context.get(snapshots, SnapshotStore).write({ index: 900, term: 7, configuration, content })
        })
      )
      const { lastIndex, lastTerm } = yield* survey(at)
      assert.deepStrictEqual({ lastIndex, lastTerm }, { lastIndex: 900, lastTerm: 7 })
      const made = yield* recover({ directory: at, address: "h:1", acceptLossAfter: { term: 7, index: 900 } })
      assert.strictEqual(made.index, 900)
    }).pipe(Effect.scoped)
  )

  it("takes the directory whose last term is highest, then whose last index is", () => {
    const at = (directory: string, lastTerm: number, lastIndex: number, isRepairing = false) => {
      return { directory, nodeId: directory, clusterId: "c", lastTerm, lastIndex, isRepairing }
    }
    assert.strictEqual(bestOf([at("a", 2, 90), at("b", 3, 10), at("c", 3, 12)])?.directory, "c")
    // What is left of a damaged log is no measure of what the node held.
    assert.strictEqual(bestOf([at("a", 3, 12, true), at("b", 3, 10)])?.directory, "b")
    assert.isUndefined(bestOf([]))
  })
})

describe("the base of a restored log", () => {
  const second = 1_800_000_000
  const options = { lastIndex: 1_000, lastTimeMs: second * 1000, nowMs: second * 1000, random: 0 }
  const base = (more: Partial<typeof options>) => Result.getOrThrow(baseAfter({ ...options, ...more }))

  it("is by the clock, or above the last index where that is ahead of the clock", () => {
    assert.strictEqual(base({}), second * 2 ** 20)
    const ahead = second * 2 ** 20 + 5
    assert.strictEqual(base({ lastIndex: ahead }), ahead + 2 ** 32)
    assert.isAbove(base({ lastIndex: ahead, nowMs: second * 1000 + 1000 }), base({ lastIndex: ahead }) + 2 ** 19)
  })

  it("differs by chance within one moment, and stays an index that keys can hold", () => {
    assert.strictEqual(base({ random: 0.5 }) - base({}), spreadCount / 2)
    assert.isBelow(base({ random: 0.999 }), 36 ** 10)
    assert.isTrue(Result.isFailure(baseAfter({ ...options, lastIndex: 36 ** 10 })))
  })

  it("is refused while the clock lies behind the log", () => {
    const behind = baseAfter({ ...options, nowMs: second * 1000 - 1 })
    assert.include(Result.isFailure(behind) ? behind.failure : "", "set the clock right first")
  })
})

/**
 * The history of records after a restore from the archives of a schedule: real files, members on a network in memory. It
 * is that of the former cluster as far as the archives hold it, and says where it begins.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Result, Scope } from "effect"
import { inDirectory } from "../../src/Backup/DirectoryStore.ts"
import { loadDirectory, openDirectory } from "../../src/Backup/ReadDirectory.ts"
import type { Point } from "../../src/Backup/Replay.ts"
import { restore } from "../../src/Backup/Restore.ts"
import { ship, shippedOf, storedArchive } from "../../src/Backup/Ship.ts"
import { chainTo, lastOf, longestTo } from "../../src/Backup/Shipped.ts"
import { verifyLog } from "../../src/Backup/VerifyLog.ts"
import { readIdentity } from "../../src/EventStore/Directory.ts"
import { History } from "../../src/EventStore/History.ts"
import { layerFile } from "../../src/EventStore/HistoryFiles.ts"
import type { Command } from "../../src/Machine/Command.ts"
import { lastErasure } from "../../src/Machine/Erasure.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import * as RecordHistory from "../../src/Repository/RecordHistory.ts"
import { descriptors } from "../Machine/Store.ts"
import { alone, directory, type Running, startMember, until } from "../Raft/core/Members.ts"

const [user] = descriptors
const marker = "xyzzy"

const put = (id: string, email: string): Command => ({ _tag: "Put", model: "User", id, data: { email } })
const done = Effect.fnUntraced(function* (member: Running, command: Command) {
  const { index, result } = yield* member.submit(command)
  assert.strictEqual(result._tag, "Accepted")
  return index
})
const led = (member: Running) => until("it leads", () => member.leader() !== undefined)

const pasts = ({ feed }: Running) =>
  RecordHistory.make({
    entry: (index) => Effect.map(feed.entry(index), (found) => found?.transaction),
    archived: feed.archived
  })

/** All that a member tells of a record, in pages of `limit`. */
const history = Effect.fnUntraced(function* (member: Running, id: string, limit = 100) {
  const newest = RecordHistory.newestOf(member.tables, user!, id)!
  const items: Array<RecordHistory.Past> = []
  let place: RecordHistory.Place | undefined = { afterVersion: 0 }
  let isComplete = false
  while (place !== undefined) {
    const page: RecordHistory.HistoryPage = yield* pasts(member).page(user!, id, { newest, place, limit })
    items.push(...page.items)
    isComplete = page.isComplete
    place = page.next
  }
  return { items, isComplete }
})

const at = (member: Running, id: string, moment: RecordHistory.Moment) =>
  Effect.result(pasts(member).at(user!, id, { moment, newest: RecordHistory.newestOf(member.tables, user!, id)! }))

/** A cluster of one that has shipped two states and the entries between and after them, and has erased a record. */
const former = Effect.fnUntraced(function* (root: string) {
  const scope = yield* Scope.make()
  const member = yield* Scope.provide(startMember(makeMemoryNetwork(), root, "a", alone), scope)
  yield* led(member)
  const store = inDirectory(join(root, "store"))
  for (const id of ["ann", "bob", "cid"]) yield* done(member, put(id, `${id}@${id === "cid" ? marker : "1"}`))
  yield* done(member, put("bob", "bob@2"))
  // So many that the state needs several entries.
  const many = Array.from({ length: 1_100 }, (_, at) => put(`m${at}`, `m${at}@1`))
  for (let from = 0; from < many.length; from += 500) {
    const operations = many.slice(from, from + 500).flatMap((each) => (each._tag === "Put" ? [each] : []))
    yield* done(member, { _tag: "Transact", operations })
  }
  const state = yield* ship(member, store)
  yield* done(member, put("ann", "ann@2"))
  yield* done(member, put("dee", "dee@1"))
  const middle = yield* done(member, put("cid", `cid@${marker}.org`))
  const entries = yield* ship(member, store, { entriesAfter: state.index })
  yield* member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "User", id: "cid" })
  yield* done(member, put("ann", "ann@3"))
  const more = yield* ship(member, store, { entriesAfter: entries.index })
  yield* ship(member, store)
  yield* done(member, put("bob", "bob@3"))
  yield* done(member, put("ann", "ann@4"))
  const last = yield* ship(member, store, { entriesAfter: more.index })
  const told = {
    ann: (yield* history(member, "ann")).items,
    bob: (yield* history(member, "bob")).items,
    dee: (yield* history(member, "dee")).items
  }
  const folder = member.clusterId()!
  yield* Scope.close(scope, Exit.void)
  return { store, folder, state, middle, last, told }
})

type Former = Effect.Success<ReturnType<typeof former>>

/** All that the history of a directory holds. Its files are compressed, so their bytes tell nothing. */
const historyText = Effect.fnUntraced(function* (to: string) {
  const history = Context.get(yield* Layer.build(layerFile({ directory: join(to, "history") })), History)
  let text = ""
  for (const { fromIndex, toIndex } of history.ranges()) {
    for (let at = fromIndex; at <= toIndex; ) {
      const entries = yield* history.read({ fromIndex: at, toIndex, maxBytes: 1024 * 1024 })
      for (const { payload } of entries) text += Buffer.from(payload).toString("latin1")
      at += entries.length
    }
  }
  return text
}, Effect.scoped)

/** A new cluster of one from the store. */
const restored = Effect.fnUntraced(function* (
  root: string,
  { folder, store }: Pick<Former, "folder" | "store">,
  nodeId: string,
  { isStateOnly = false, point }: { readonly point?: Point; readonly isStateOnly?: boolean } = {}
) {
  const all = yield* shippedOf(store, folder)
  const { entries, snapshot } = Result.getOrThrow((isStateOnly ? chainTo : longestTo)(all, point))
  const archives = [snapshot, ...entries].map((each) => storedArchive(store, folder, each))
  const to = join(root, nodeId)
  const newest = Result.getOrThrow(chainTo(all, undefined))
  const known = [newest.snapshot, ...newest.entries].map((each) => storedArchive(store, folder, each))
  const source = { archives, last: lastOf(all), isStateOnly, ...(point === undefined ? {} : { newest: known }) }
  const made = yield* restore({ source, directory: to, address: "h:1", nodeId, point })
  // Without its models and before it starts, its entries can be proven.
  yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* openDirectory(to)
      yield* verifyLog(opened, (yield* loadDirectory(opened)).tables)
    })
  )
  const text = yield* historyText(to)
  const { instanceId } = yield* readIdentity(to)
  const member = yield* startMember(makeMemoryNetwork(), root, nodeId, { ...alone, instanceId })
  yield* led(member)
  return { made, member, directory: to, text }
})

const versions = (items: ReadonlyArray<RecordHistory.Past>) => items.map(({ version }) => version)

describe("a restore from the archives of a schedule", () => {
  it.live(
    "answers the history of records and their past states as the former cluster did, from the first state on",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const old = yield* former(root)
        const { state, told } = old
        const { made, member } = yield* restored(root, old, "r")
        assert.deepInclude(made, {
          isHistoryWhole: false,
          historySince: { index: state.index, timeMs: state.timeMs }
        })
        for (const limit of [1, 2, 100]) {
          const ann = yield* history(member, "ann", limit)
          const [first, ...later] = told.ann
          // Who made the first version, and when, the state does not tell.
          const { actor: _, ...known } = first!
          assert.deepStrictEqual(ann.items, [
            { ...known, actor: undefined, timeMs: state.timeMs, isOfState: true },
            ...later
          ])
          assert.isTrue(ann.isComplete)
          const bob = yield* history(member, "bob", limit)
          assert.deepStrictEqual(versions(bob.items), [2, 3])
          assert.deepStrictEqual(bob.items[1], told.bob[2])
          assert.deepInclude(bob.items[0], { event: "updated", index: told.bob[1]!.index, isOfState: true })
          assert.isFalse(bob.isComplete)
          assert.deepStrictEqual(yield* history(member, "dee", limit), { items: told.dee, isComplete: true })
        }
        for (const number of [0, 999, 1_000, 1_099]) {
          const found = yield* history(member, `m${number}`)
          assert.deepStrictEqual(
            found.items.map(({ record }) => record?.email),
            [`m${number}@1`]
          )
        }
        // A moment, by version and by time.
        const then = yield* at(member, "bob", { version: 2 })
        assert.deepInclude(Result.getOrThrow(then)?.record, { email: "bob@2" })
        const sinceMs = yield* at(member, "bob", { timeMs: state.timeMs })
        assert.strictEqual(Result.getOrThrow(sinceMs)?.version, 2)
        for (const moment of [{ version: 1 }, { timeMs: state.timeMs - 1 }]) {
          const gone = yield* at(member, "bob", moment)
          assert.isTrue(Result.isFailure(gone))
          if (!Result.isFailure(gone) || gone.failure._tag !== "HistoryGone") return assert.fail("it is gone")
          assert.deepStrictEqual(
            { ...gone.failure.toProblem().members },
            {
              oldestVersion: 2,
              oldestIndex: told.bob[1]!.index,
              oldestAt: new Date(state.timeMs).toISOString()
            }
          )
        }
        assert.isUndefined(Result.getOrThrow(yield* at(member, "dee", { timeMs: state.timeMs })))
        // The record goes on, far above, and what was before it stays.
        yield* done(member, put("bob", "bob@new"))
        const after = yield* history(member, "bob")
        assert.deepStrictEqual(versions(after.items).slice(0, 2), [2, 3])
        assert.isAbove(after.items[2]!.version, made.base)
        assert.strictEqual(Result.getOrThrow(yield* at(member, "bob", { version: 3 }))?.record.email, "bob@3")
      }).pipe(Effect.scoped)
  )

  it.live("to a moment keeps out what came later and what was erased later", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const point = { _tag: "Index", index: old.middle } as const
      for (const isStateOnly of [false, true]) {
        const { directory: to, member, text } = yield* restored(root, old, `p${isStateOnly}`, { point, isStateOnly })
        assert.include(text, "ann@2")
        assert.notInclude(text, marker)
        assert.isUndefined(member.tables.byModel.get("User")!.rows.get("cid"))
        assert.strictEqual(member.tables.byModel.get("User")!.rows.get("ann")?.data.email, "ann@2")
        if (!isStateOnly) assert.deepStrictEqual(versions((yield* history(member, "ann")).items), [1, 2])
        yield* until("it has erased", () => member.erasing.erasedThrough() >= lastErasure(member.tables))
        for (const file of readdirSync(to, { recursive: true, withFileTypes: true })) {
          if (!file.isFile()) continue
          assert.isFalse(readFileSync(join(file.parentPath, file.name)).includes(marker), file.name)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("holds nothing of an erased record in any file, and names it", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const { directory: to, member, text } = yield* restored(root, old, "r")
      assert.include(text, "bob@2")
      assert.notInclude(text, marker)
      yield* until("it has erased", () => member.erasing.erasedThrough() >= lastErasure(member.tables))
      const cid = yield* history(member, "cid")
      assert.isTrue(cid.items.every(({ record }) => record === undefined))
      for (const moment of [{ version: 1 }, { version: 2 }])
        assert.isTrue(Result.isFailure(yield* at(member, "cid", moment)))
      for (const file of readdirSync(to, { recursive: true, withFileTypes: true })) {
        if (file.isFile())
          assert.notInclude(readFileSync(join(file.parentPath, file.name), "latin1"), marker, file.name)
      }
      // One that is erased after the restore goes from the archived state, too.
      const [bobBefore] = (yield* history(member, "bob")).items
      assert.isDefined(bobBefore?.record)
      yield* member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "User", id: "bob" })
      yield* until("it has erased", () => member.erasing.erasedThrough() >= lastErasure(member.tables))
      const [bobAfter] = (yield* history(member, "bob")).items
      assert.deepStrictEqual([bobAfter?.version, bobAfter?.record], [bobBefore?.version, undefined])
    }).pipe(Effect.scoped)
  )

  it.live("keeps a record that a list names as erased out of the history of a state that ends with an election", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const store = inDirectory(join(root, "store"))
      const started = <A, E, R>(use: (member: Running) => Effect.Effect<A, E, R>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const member = yield* startMember(makeMemoryNetwork(), root, "a", alone)
            yield* led(member)
            return yield* use(member)
          })
        )
      const indexes = yield* started((member) =>
        Effect.all({ ann: done(member, put("ann", "ann@1")), cid: done(member, put("cid", `cid@${marker}`)) })
      )
      const { folder, state } = yield* started((member) =>
        Effect.gen(function* () {
          yield* until("its first entry is applied", () => member.feed.appliedIndex() > indexes.cid)
          assert.strictEqual(member.tables.index, indexes.cid)
          return { state: yield* ship(member, store), folder: member.clusterId()! }
        })
      )
      assert.isAbove(state.index, indexes.cid)
      const to = join(root, "r")
      yield* restore({
        source: { archives: [storedArchive(store, folder, state)] },
        directory: to,
        address: "h:1",
        nodeId: "r",
        erasures: [{ model: "User", id: "cid", index: state.index + 1 }]
      })
      const { instanceId } = yield* readIdentity(to)
      const member = yield* startMember(makeMemoryNetwork(), root, "r", { ...alone, instanceId })
      yield* led(member)
      const archived = (id: "ann" | "cid") => member.feed.archived({ model: "User", id, index: indexes[id] })
      assert.deepInclude((yield* archived("ann"))?.event.data, { email: "ann@1" })
      assert.isUndefined(yield* archived("cid"))
    }).pipe(Effect.scoped)
  )

  it.live("brings nothing back that the retention of the former cluster had removed", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const scope = yield* Scope.make()
      const member = yield* Scope.provide(startMember(makeMemoryNetwork(), root, "a", alone), scope)
      yield* led(member)
      const store = inDirectory(join(root, "store"))
      for (const id of ["ann", "bob"]) yield* done(member, put(id, `${id}@1`))
      const state = yield* ship(member, store)
      yield* done(member, put("bob", "bob@2"))
      const fromIndex = yield* done(member, put("bob", "bob@3"))
      const entries = yield* ship(member, store, { entriesAfter: state.index })
      yield* member.submit({ _tag: "Retain", fromIndex })
      for (const [id, email] of [
        ["ann", "ann@2"],
        ["bob", "bob@4"]
      ] as const)
        yield* done(member, put(id, email))
      yield* ship(member, store, { entriesAfter: entries.index })
      const folder = member.clusterId()!
      yield* Scope.close(scope, Exit.void)

      const { member: now, text } = yield* restored(root, { store, folder }, "r")
      const { isComplete, items } = yield* history(now, "bob")
      assert.deepStrictEqual(versions(items), [3, 4])
      assert.isFalse(isComplete)
      assert.deepStrictEqual(versions((yield* history(now, "ann")).items), [2])
      for (const version of [1, 2]) {
        const gone = yield* at(now, "bob", { version })
        assert.strictEqual(Result.isFailure(gone) ? gone.failure._tag : "", "HistoryGone")
      }
      for (const email of ["ann@1", "bob@1", "bob@2"]) assert.notInclude(text, email)
      for (const email of ["ann@2", "bob@3", "bob@4"]) assert.include(text, email)
    }).pipe(Effect.scoped)
  )

  it.live("twice gives clusters that share no index and no version; without history one knows the state alone", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const old = yield* former(root)
      const given: Array<{ readonly nodeId: string; readonly index: number; readonly version: number }> = []
      for (const nodeId of ["r1", "r2", "r3"]) {
        const isStateOnly = nodeId === "r3"
        const { made, member } = yield* restored(root, old, nodeId, { isStateOnly })
        if (isStateOnly) {
          assert.isUndefined(made.historySince)
          const gone = yield* at(member, "ann", { version: 3 })
          assert.strictEqual(Result.isFailure(gone) ? gone.failure._tag : "", "HistoryGone")
        }
        for (const id of ["ann", "new"]) {
          const index = yield* done(member, put(id, `${id}@${nodeId}`))
          const { version } = member.tables.byModel.get("User")!.rows.get(id)!
          const others = given.filter((each) => each.nodeId !== nodeId)
          assert.isFalse(others.some((other) => other.index === index || other.version === version))
          assert.isAbove(Math.min(index, version), made.base)
          given.push({ nodeId, index, version })
        }
        // No follower reads what the archives held: it begins with the first state.
        const { archived } = member.tables.restored!.history!
        if (archived === undefined) continue
        const [first] = yield* member.feed.read({ fromIndex: 1, maxBytes: 1 })
        assert.isAbove(first!.index, archived.lastIndex)
        assert.isFalse(member.feed.isPlace(archived.lastIndex))
        assert.strictEqual(member.feed.oldestIndex(), first!.index)
      }
    }).pipe(Effect.scoped)
  )
})

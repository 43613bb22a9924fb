/** Erased records and chains of digests in directories and archives, on real files: what is accepted, what is restored, and which altered entry is named. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { ListedErasure } from "../../src/Backup/ApplyErasures.ts"
import { fileArchive, loadArchive } from "../../src/Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../../src/Backup/ReadDirectory.ts"
import { restore } from "../../src/Backup/Restore.ts"
import { type TakenArchive, takeArchive } from "../../src/Backup/TakeArchive.ts"
import { verifyLog } from "../../src/Backup/VerifyLog.ts"
import { writeArchive } from "../../src/EventStore/ArchiveFile.ts"
import { readIdentity } from "../../src/EventStore/Directory.ts"
import { History } from "../../src/EventStore/History.ts"
import * as HistoryFiles from "../../src/EventStore/HistoryFiles.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import type { Command } from "../../src/Machine/Command.ts"
import { lastErasure } from "../../src/Machine/Erasure.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { directory, startMember, until } from "../Raft/core/Members.ts"

const put = (id: string, email: string): Command => ({ _tag: "Put", model: "User", id, data: { email } })

/** A node that has decided, erased and stopped; with its archives from before and after, and the digest that it told. */
const made = Effect.fnUntraced(function* (root: string) {
  const scope = yield* Scope.make()
  const options = { isAlone: true, tamperEvident: true }
  const member = yield* Scope.provide(startMember(makeMemoryNetwork(), root, "a", options), scope)
  yield* until("it leads", () => member.leader() !== undefined)
  // The first write states the format of the log.
  yield* member.submit(put("zoe", "zoe@here"))
  yield* member.submit({ _tag: "Delete", model: "User", id: "zoe" })
  yield* until("it proves", () => member.tables.chain !== undefined)
  for (const [id, email] of [
    ["ann", "ann@xyzzy"],
    ["bob", "bob@here"],
    ["ann", "ann@xyzzy.org"],
    ["cid", "cid@here"]
  ] as const) {
    yield* member.submit(put(id, email))
  }
  const before = member.tables.index
  const kept = member.tables.chain!
  const archive = (name: string, after: number) =>
    Effect.scoped(
      Effect.flatMap(takeArchive(member, { after }), ({ bytes }) =>
        writeArchive({ directory: root, name, bytes, isWhole: () => Effect.void })
      )
    )
  yield* archive("before", 0)
  const erased = yield* member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "User", id: "ann" })
  assert.strictEqual(erased._tag, "Erased")
  yield* until("it has erased", () => member.erasing.erasedThrough() > before)
  yield* member.submit(put("bob", "bob@there"))
  yield* archive("after", 0)
  const hash = Tables.stateHash(member.tables)
  yield* Scope.close(scope, Exit.void)
  return { before, kept, hash, data: join(root, "a") }
})

const verified = (data: string, kept?: { readonly index: number; readonly digest: string }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* openDirectory(data)
      const { tables } = yield* loadDirectory(opened)
      return yield* verifyLog(opened, tables, kept)
    })
  )

const emails = ({ byModel }: Tables.Tables) =>
  Array.from(byModel.get("User")!.rows.entries(), ([id, { data }]) => `${id} ${data.email}`)

/** Writes the history of a stopped node anew, with other entries. */
const rewritten = (data: string, change: (entry: LogEntry) => LogEntry) =>
  Effect.scoped(
    Effect.gen(function* () {
      const context = yield* Layer.build(HistoryFiles.layerFile({ directory: join(data, "history") }))
      const history = Context.get(context, History)
      const entries: Array<LogEntry> = []
      for (const file of history.files()) entries.push(...(yield* history.read({ ...file, maxBytes: 1e9 })))
      yield* history.removeBelow(Number.MAX_SAFE_INTEGER)
      const range = { fromIndex: entries[0]!.index, toIndex: entries.at(-1)!.index }
      yield* history.keep(range, ({ fromIndex, toIndex }) =>
        Effect.succeed(entries.filter(({ index }) => index >= fromIndex && index <= toIndex).map(change))
      )
    })
  )

const replaceIn = (entry: LogEntry, from: string, to: string): LogEntry => ({
  ...entry,
  payload: Buffer.from(Buffer.from(entry.payload).toString().replace(from, to))
})

describe("a log that is evident to tampering", () => {
  it.live("is verified after an erasure, agrees with a kept digest, and names the first altered entry", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { before, data, kept } = yield* made(root)
      const whole = yield* verified(data, kept)
      assert.isAtLeast(whole.historyFilesCount, 1)
      assert.isAtMost(whole.checked?.fromIndex ?? 0, before - 3)
      assert.isAbove(whole.checked?.index ?? 0, before)
      const wrong = yield* Effect.flip(verified(data, { ...kept, digest: "0".repeat(64) }))
      assert.match(wrong.message, /the digest at \d+ is [0-9a-f]{64}, and not 0{64}: an entry up to there was altered/)

      // Somebody changes what bob was, with all sums of the file made anew.
      yield* rewritten(data, (entry) => replaceIn(entry, "bob@here", "eve@here"))
      const altered = yield* Effect.flip(verified(data))
      assert.include(altered.message, `Entry ${before - 2} was altered`)
      // Or takes data away, as if it had been erased.
      yield* rewritten(data, (entry) =>
        replaceIn(entry, '"data":{"id":"bob","email":"eve@here"}', '"data":{},"erased":true')
      )
      const emptied = yield* Effect.flip(verified(data))
      assert.include(emptied.message, `entry ${before - 2} was altered: the data of User bob is missing`)
    }).pipe(Effect.scoped)
  )

  it.live("gives archives without erased data: a restore to any of their points lacks the record", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { before, hash, kept } = yield* made(root)
      const path = join(root, "after")
      assert.isFalse(readFileSync(path).includes("xyzzy"))
      assert.isTrue(readFileSync(join(root, "before")).includes("xyzzy"))
      for (const file of readdirSync(join(root, "a"), { recursive: true, withFileTypes: true })) {
        if (file.isFile()) assert.isFalse(readFileSync(join(file.parentPath, file.name)).includes("xyzzy"), file.name)
      }
      const { manifest, state } = yield* loadArchive(path, { kept })
      assert.strictEqual(manifest.stateHash, hash)
      assert.deepStrictEqual(emails(state!.tables), ["bob bob@there", "cid cid@here"])
      const point = { _tag: "Index", index: before } as const
      const then = yield* loadArchive(path, { point })
      assert.deepStrictEqual(emails(then.state!.tables), ["bob bob@here", "cid cid@here"])
      const wrong = yield* Effect.flip(loadArchive(path, { kept: { ...kept, digest: "0".repeat(64) } }))
      assert.include(wrong.message, "an entry up to there was altered")
    }).pipe(Effect.scoped)
  )
})

describe("an archive", () => {
  it.live("that an erasure overtakes ends with an error, since its entries would not lead to its state", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* startMember(makeMemoryNetwork(), root, "a", { isAlone: true })
      yield* until("it leads", () => member.leader() !== undefined)
      for (const id of ["ann", "bob"]) yield* member.submit(put(id, `${id}@here`))
      const write = (name: string, { bytes }: TakenArchive) =>
        writeArchive({ directory: root, name, bytes, isWhole: () => Effect.void })
      const overtaken = yield* takeArchive(member, { after: 0 })
      yield* member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "User", id: "ann" })
      const failed = yield* Effect.flip(write("overtaken", overtaken))
      assert.include(failed.message, "erased meanwhile")
      yield* write("again", yield* takeArchive(member, { after: 0 }))
      const { manifest, state } = yield* loadArchive(join(root, "again"))
      assert.strictEqual(manifest.stateHash, Tables.stateHash(member.tables))
      assert.deepStrictEqual(emails(state!.tables), ["bob bob@here"])
    }).pipe(Effect.scoped)
  )
})

describe("a restore", () => {
  it.live("is without what the archive, or a list given with it, says is erased: state and history", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { before } = yield* made(root)
      const restored = (nodeId: string, name: string, erasures: ReadonlyArray<ListedErasure>) =>
        Effect.gen(function* () {
          const source = { archives: [fileArchive(join(root, name))] }
          const found = yield* restore({ source, directory: join(root, nodeId), address: "h:1", nodeId, erasures })
          const { instanceId } = yield* readIdentity(join(root, nodeId))
          const member = yield* startMember(makeMemoryNetwork(), root, nodeId, { isAlone: true, instanceId })
          yield* until("it leads", () => member.leader() !== undefined)
          yield* until("it has erased", () => member.erasing.erasedThrough() >= lastErasure(member.tables))
          const files = readdirSync(join(root, nodeId), { recursive: true, withFileTypes: true })
          const holds = files.some(
            (file) => file.isFile() && readFileSync(join(file.parentPath, file.name)).includes("xyzzy")
          )
          return { erased: found.erased, emails: emails(member.tables), holds }
        }).pipe(Effect.scoped)

      const old = yield* restored("r1", "before", [])
      assert.deepInclude(old, { erased: [], holds: true })
      assert.include(old.emails, "ann ann@xyzzy.org")
      const listed = [{ model: "User", id: "ann", index: before + 1 }]
      const listedToo = yield* restored("r2", "before", listed)
      assert.deepStrictEqual(listedToo, {
        erased: [{ model: "User", id: "ann" }],
        emails: ["bob bob@here", "cid cid@here"],
        holds: false
      })
      // A record that came under the id later stays, and what is known is not erased twice.
      const again = yield* restored("r3", "before", [{ model: "User", id: "ann", index: 2 }])
      assert.include(again.emails, "ann ann@xyzzy.org")
      const known = yield* restored("r4", "after", listed)
      assert.deepStrictEqual(known, { erased: [], emails: ["bob bob@there", "cid cid@here"], holds: false })
    }).pipe(Effect.scoped)
  )

  it.live("to a point before an erasure makes a directory that names what is missing", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { before } = yield* made(root)
      const source = { archives: [fileArchive(join(root, "after"))] }
      for (const index of [before - 1, before]) {
        const to = join(root, `at-${index}`)
        const found = yield* restore({ source, directory: to, address: "h:1", point: { _tag: "Index", index } })
        assert.isTrue(found.isHistoryWhole)
        yield* verified(to)
      }
    }).pipe(Effect.scoped)
  )
})

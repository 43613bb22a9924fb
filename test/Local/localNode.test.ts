/** The machine of the node's own log, over real files: what is acknowledged stays, what failed says so. D4. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Layer, Schedule, Schema, Scope, SubscriptionRef } from "effect"
import { layerDirectory } from "../../src/EventStore/Directory.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { type LogRoom, LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { layerFile as layerFileSnapshots, layerMemory as layerMemorySnapshots } from "../../src/EventStore/Snapshots.ts"
import * as LocalCommits from "../../src/Local/LocalCommits.ts"
import * as LocalNode from "../../src/Local/LocalNode.ts"
import type { Command, Operation } from "../../src/Machine/Command.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import type { LocalPartRequest } from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { seeded } from "../Machine/Seeded.ts"
import { User } from "../Machine/Store.ts"

class View extends Model.Class<View>("View")(
  { id: Model.id(Schema.String), slug: Schema.String, hits: Schema.optionalKey(Schema.Int) },
  { mode: "local" }
) {}
const user = Model.describe(User)
const models = [Model.describe(View), user]

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-local-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const create = (id: string): Operation => ({ _tag: "Create", model: "View", id, data: { slug: id } })
const part = (request: Partial<LocalPartRequest> = {}) => ({
  parts: [
    {
      descriptor: user,
      request: { id: "a", createdIndex: 7, version: 1, how: "put", data: { note: "n" }, ...request } as const
    }
  ]
})
const slugOf = (node: LocalNode.LocalNode["Service"], id: string) => Tables.get(node.tables, "View", id)?.data.slug

/** A node from start to stop on a data directory. */
const during = <A, E>(path: string, use: (node: LocalNode.LocalNode["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(LocalNode.LocalNode, use).pipe(
    Effect.provide(Layer.provide(LocalNode.layer({ models }), layerDirectory({ directory: path, nodeId: "n" })), {
      local: true
    })
  )

/** A node on real files, whose writes wait at a gate and can be made to fail. It counts what is written. */
const gated = Effect.fnUntraced(function* () {
  const path = yield* directory
  const gate = yield* Latch.make(false)
  const began = yield* Deferred.make<void>()
  const appends: Array<number> = []
  let failure: LogFailed | undefined
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(Layer.merge(layerFile({ directory: path }), layerMemorySnapshots), scope)
  const node = yield* Effect.gen(function* () {
    const store = yield* LogStore
    const append: typeof store.append = (writes) =>
      Effect.gen(function* () {
        appends.push(writes.reduce((count, { entries }) => count + entries.length, 0))
        yield* Deferred.succeed(began, undefined)
        yield* gate.await
        if (failure !== undefined) return yield* Effect.fail(failure)
        yield* store.append(writes)
      })
    return yield* LocalNode.make({ life: "n-1", models }).pipe(Effect.provideService(LogStore, { ...store, append }))
  }).pipe(Effect.provide(context), Scope.provide(scope))
  return {
    node,
    gate,
    appends,
    began: Deferred.await(began),
    close: Scope.close(scope, Exit.void),
    fail: () => {
      failure = new LogFailed({ message: 'Cannot sync "/secret/000000000001.log"' })
    }
  }
})

const submitAll = (node: LocalNode.LocalNode["Service"], commands: ReadonlyArray<Command>) =>
  Effect.forEach(commands, (command) => Effect.forkChild(node.submit(command), { startImmediately: true }))

describe("the node's own log (D4)", () => {
  it.live("decides as the cluster does, and a restart keeps what was acknowledged, keys and versions included", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const keyed: Command = { ...create("k"), key: "once", fingerprint: "f" }
      const before = yield* during(path, (node) =>
        Effect.gen(function* () {
          const first = yield* node.submit(create("a"))
          assert.strictEqual(first.index, 1)
          assert.strictEqual(first.result._tag === "Accepted" && first.result.answer.operations[0]?.version, 1)
          const taken = yield* node.submit(create("a"))
          assert.deepStrictEqual(taken, {
            index: 1,
            result: { _tag: "Rejected", rejection: { _tag: "AlreadyExists", model: "View", id: "a" } }
          })
          yield* node.submit({ _tag: "Patch", model: "View", id: "a", data: { hits: 2 } })
          yield* node.submit({ _tag: "Transact", operations: [create("c"), create("d")] })
          yield* node.submit({ _tag: "Delete", model: "View", id: "c" })
          yield* node.submit(keyed)
          return { index: node.tables.index, hash: Tables.stateHash(node.tables) }
        })
      )
      yield* during(path, (node) =>
        Effect.gen(function* () {
          assert.deepStrictEqual({ index: node.tables.index, hash: Tables.stateHash(node.tables) }, before)
          assert.deepStrictEqual(Tables.get(node.tables, "View", "a")?.data, { id: "a", slug: "a", hits: 2 })
          const copy = yield* node.submit(keyed)
          assert.strictEqual(copy.result._tag, "Accepted")
          assert.strictEqual(node.tables.index, before.index)
          const again = yield* node.submit(create("c"))
          assert.strictEqual(again.result._tag === "Accepted" && again.result.answer.operations[0]?.version, 3)
        })
      )
    })
  )

  it.live("states newer limits in its own log, before what it decides, and an older release goes on under them", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const limits = { ...Limits.initial, revision: 1, tombstonesMax: 1 }
      const deleteTwo = (release: Limits.Limits, ids: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const node = yield* LocalNode.make({ life: "n-1", models, limits: release })
          for (const id of ids) {
            yield* node.submit(create(id))
            yield* node.submit({ _tag: "Delete", model: "View", id })
          }
          const { index, limits } = node.tables
          return { index, limits, tombstonesCount: node.tables.byModel.get("View")!.tombstones.size }
        }).pipe(Effect.provide(Layer.merge(layerFile({ directory: path }), layerMemorySnapshots)), Effect.scoped)
      const initial = Limits.initial
      assert.deepStrictEqual(yield* deleteTwo(initial, ["a", "b"]), { index: 4, limits: initial, tombstonesCount: 2 })
      assert.deepStrictEqual(yield* deleteTwo(limits, ["c", "d"]), { index: 9, limits, tombstonesCount: 1 })
      assert.deepStrictEqual(yield* deleteTwo(initial, ["e", "f"]), { index: 13, limits, tombstonesCount: 1 })
    })
  )

  for (const seed of [1, 2, 3]) {
    it.live(
      `what is replayed is what was applied, from a copy taken while it runs as after kill -9 (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const path = yield* directory
          const copy = yield* directory
          const random = seeded(seed)
          const commands = Array.from({ length: 300 }, (_, n): Command => {
            const id = `v${random.below(40)}`
            const data = { slug: `s${random.below(60)}` }
            const tag = random.pick<"Put" | "Patch" | "Delete">(["Put", "Patch", "Delete"])
            const key = random.below(3) === 0 ? { key: `k${random.below(50)}`, fingerprint: `f${n}` } : {}
            return { _tag: tag, model: "View", id, data, ...key }
          })
          const held = yield* during(path, (node) =>
            Effect.gen(function* () {
              yield* Effect.forEach(commands, node.submit, { concurrency: 16 })
              yield* Effect.forEach([1, 2, 3], (version) =>
                node.setLocalParts(part({ version, data: { note: `n${version}` } }))
              )
              cpSync(join(path, "local"), join(copy, "local"), { recursive: true })
              cpSync(join(path, "node.json"), join(copy, "node.json"))
              return Tables.clone(node.tables)
            })
          )
          yield* during(copy, (node) =>
            Effect.sync(() => {
              assert.strictEqual(Tables.stateHash(node.tables), Tables.stateHash(held))
              assert.strictEqual(node.tables.index, held.index)
              const rows = (tables: Tables.Tables) => Array.from(tables.byModel.get("View")?.rows.entries() ?? [])
              assert.deepStrictEqual(rows(node.tables), rows(held))
              assert.deepStrictEqual(
                node.tables.byModel.get("User")?.localParts.toArray(),
                held.byModel.get("User")?.localParts.toArray()
              )
            })
          )
        })
    )
  }

  it.live("one write takes all that came while the one before was in flight", () =>
    Effect.gen(function* () {
      const { appends, began, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [create("first")])
      yield* began
      const others = yield* submitAll(
        node,
        Array.from({ length: 500 }, (_, n) => create(`v${n}`))
      )
      assert.strictEqual(node.tables.index, 0)
      yield* gate.open
      const answers = yield* Effect.forEach([first!, ...others], Fiber.join)
      assert.deepStrictEqual(appends, [1, 500])
      assert.deepStrictEqual(
        answers.map(({ index }) => index),
        Array.from({ length: 501 }, (_, n) => n + 1)
      )
      assert.strictEqual(node.tables.index, 501)
    })
  )

  it.live("one write takes no more than is bounded, and the next one takes the rest", () =>
    Effect.gen(function* () {
      const { appends, began, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [create("first")])
      yield* began
      const slug = "s".repeat(1024 * 1024)
      const large = Array.from({ length: 12 }, (_, n): Command => {
        return { _tag: "Put", model: "View", id: `v${n}`, data: { slug } }
      })
      const others = yield* submitAll(node, large)
      yield* gate.open
      yield* Effect.forEach([first!, ...others], Fiber.join)
      // Eight payloads are just past 8 MiB: the one that passes the bound is the last.
      // By then a snapshot is due, whose mark may already be there: a write without an entry.
      assert.deepStrictEqual(
        appends.filter((count) => count > 0),
        [1, 8, 4]
      )
    })
  )

  it.live("an erasure takes a part that is being written, and one that comes after it", () =>
    Effect.gen(function* () {
      const { began, gate, node } = yield* gated()
      const early = yield* Effect.forkChild(node.setLocalParts(part()), { startImmediately: true })
      yield* began
      const erasures = {
        erasedAt: () => 9,
        erasedOf: (): ReadonlyArray<[string, number]> => [["a", 9]],
        isErasedId: () => true,
        lastIndex: 9
      }
      const erasing = yield* Effect.forkChild(node.erase(9, erasures), { startImmediately: true })
      const late = yield* Effect.forkChild(node.setLocalParts(part({ data: { note: "late" } })), {
        startImmediately: true
      })
      yield* gate.open
      yield* Fiber.join(early)
      yield* Fiber.join(erasing)
      assert.deepStrictEqual((yield* Fiber.join(late)).result, {
        _tag: "Accepted",
        parts: [undefined],
        isReplayed: false
      })
      assert.strictEqual(node.tables.byModel.get("User")?.localParts.size, 0)
      assert.strictEqual(yield* node.entry(1), undefined, "the log does not hold it either")
      assert.strictEqual(node.tables.index, 1)
    })
  )

  it.live("an answer that appends nothing waits for the entries that it was decided on", () =>
    Effect.gen(function* () {
      const { began, gate, node } = yield* gated()
      const fibers = yield* submitAll(node, [
        create("a"),
        create("a"),
        { _tag: "Put", model: "View", id: "a", data: { slug: "a" } }
      ])
      yield* began
      for (const fiber of fibers) assert.strictEqual(fiber.pollUnsafe(), undefined)
      assert.strictEqual(slugOf(node, "a"), undefined)
      yield* gate.open
      const answers = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        answers.map(({ result }) => result._tag),
        ["Accepted", "Rejected", "Accepted"]
      )
      assert.deepStrictEqual(
        answers.map(({ index }) => index),
        [1, 1, 1]
      )
    })
  )

  it.live("a log that failed takes nothing more, and tells not done from unknown (STYLE 18)", () =>
    Effect.gen(function* () {
      const { began, fail, gate, node } = yield* gated()
      const [entry, rejection] = yield* submitAll(node, [create("a"), create("a")])
      yield* began
      const [queued] = yield* submitAll(node, [create("b")])
      fail()
      yield* gate.open
      assert.strictEqual((yield* Effect.flip(Fiber.join(entry!)))._tag, "UnknownOutcome")
      for (const fiber of [rejection!, queued!]) {
        assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "NotDone")
      }
      assert.strictEqual((yield* Effect.flip(node.stopped))._tag, "LogFailed")
      const later = yield* Effect.flip(node.submit(create("c")))
      assert.strictEqual(later._tag === "NotDone" && later.reason, "draining")
      assert.notInclude(later.message, "/")
      assert.strictEqual((yield* Effect.flip(node.setLocalParts(part())))._tag, "NotDone")
      assert.strictEqual(slugOf(node, "a"), undefined)
    })
  )

  it.live("a full queue refuses one more as overloaded, and goes on once there is room", () =>
    Effect.gen(function* () {
      const { began, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [create("first")])
      yield* began
      const waiting = yield* submitAll(
        node,
        Array.from({ length: LocalCommits.pendingMaxCount }, (_, n) => create(`v${n}`))
      )
      const refused = yield* Effect.flip(node.submit(create("one-more")))
      assert.strictEqual(refused._tag === "NotDone" && refused.reason, "overloaded")
      yield* gate.open
      yield* Effect.forEach([first!, ...waiting], Fiber.join)
      assert.strictEqual((yield* node.submit(create("one-more"))).result._tag, "Accepted")
    })
  )

  it.live("a keyed command is pending until it is durable, and absent once it is given up", () =>
    Effect.gen(function* () {
      const { began, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [{ ...create("first"), key: "k", fingerprint: "f" }])
      yield* began
      assert.deepStrictEqual(yield* node.keyStatus({ key: "k" }), { _tag: "Pending" })
      const forget = node.submitUnsafe({ ...create("second"), key: "l", fingerprint: "f" }, () =>
        assert.fail("it was given up")
      )
      assert.deepStrictEqual(yield* node.keyStatus({ key: "l" }), { _tag: "Pending" })
      forget()
      assert.deepStrictEqual(yield* node.keyStatus({ key: "l" }), { _tag: "Absent" })
      yield* gate.open
      yield* Fiber.join(first!)
      assert.deepInclude(yield* node.keyStatus({ key: "k" }), { _tag: "Known", index: 1, command: "Create" })
    })
  )

  it.live("a caller that gives up before the decision takes the write back", () =>
    Effect.gen(function* () {
      const { began, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [create("first")])
      yield* began
      const [given, kept] = yield* submitAll(node, [create("given up"), create("kept")])
      yield* Fiber.interrupt(given!)
      yield* gate.open
      yield* Effect.forEach([first!, kept!], Fiber.join)
      assert.strictEqual(slugOf(node, "given up"), undefined)
      assert.strictEqual(node.tables.index, 2)
    })
  )

  it.live("a caller that gives up within an answer, its own or another's, leaves all other writes as they are", () =>
    Effect.gen(function* () {
      const node = yield* LocalNode.make({ life: "n-1", models })
      yield* node.submit(create("a"))
      const told: Array<string> = []
      const absent: Operation = { _tag: "Delete", model: "View", id: "absent" }
      const forgetFirst = node.submitUnsafe(absent, () => {
        told.push("first")
        forgetFirst()
        forgetSecond()
      })
      const forgetSecond = node.submitUnsafe(create("second"), () => told.push("second"))
      node.submitUnsafe(absent, () => told.push("third"))
      node.submitUnsafe(create("fourth"), () => told.push("fourth"))
      yield* node.submit(create("last"))
      assert.deepStrictEqual(told, ["first", "third", "fourth"])
      assert.strictEqual(slugOf(node, "second"), undefined)
    }).pipe(Effect.provide(Layer.merge(layerMemory, layerMemorySnapshots)), Effect.scoped)
  )

  it.live("a defect while a batch is decided refuses all that is not answered, and answers nothing twice", () =>
    Effect.gen(function* () {
      const commits = yield* LocalCommits.make({
        machine: Machine.make(models),
        newId: () => "id",
        onApplied: () => {},
        beside: Effect.never
      })
      const told: Array<string> = []
      const submit = (name: string, decide: Parameters<typeof commits.submit>[0]) =>
        commits.submit(decide, (exit) => told.push(`${name} ${exit._tag}`))
      submit("answered", () => ({ result: undefined, entry: undefined }))
      submit("decided", () => ({ result: undefined, entry: { payload: new Uint8Array(1) } }))
      submit("defective", () => {
        throw new Error("a broken invariant")
      })
      submit("waiting", () => ({ result: undefined, entry: undefined }))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(commits.stopped)))
      yield* Effect.yieldNow
      assert.deepStrictEqual(told, ["answered Success", "decided Failure", "defective Failure", "waiting Failure"])
    }).pipe(Effect.provide(layerMemory), Effect.scoped)
  )

  it.live("applies what it decided without decoding its own bytes", () =>
    Effect.gen(function* () {
      const store = yield* LogStore
      const append: typeof store.append = (writes) =>
        Effect.map(store.append(writes), () => {
          for (const { entries } of writes) for (const { payload } of entries) payload.fill(0)
        })
      const node = yield* LocalNode.make({ life: "n-1", models }).pipe(
        Effect.provideService(LogStore, { ...store, append })
      )
      yield* node.submit(create("a"))
      assert.strictEqual(slugOf(node, "a"), "a")
    }).pipe(Effect.provide(Layer.merge(layerMemory, layerMemorySnapshots)), Effect.scoped)
  )

  it.live("a stop answers the batch that is being written, and refuses what waits behind it", () =>
    Effect.gen(function* () {
      const { began, close, gate, node } = yield* gated()
      const [first] = yield* submitAll(node, [create("first")])
      yield* began
      const [second] = yield* submitAll(node, [create("second")])
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      yield* gate.open
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Fiber.join(first!)).result._tag, "Accepted")
      assert.strictEqual((yield* Effect.flip(Fiber.join(second!)))._tag, "NotDone")
      assert.strictEqual((yield* Effect.flip(node.submit(create("third"))))._tag, "NotDone")
    })
  )

  it.live("a model that is not local is not found here, whether or not it has local parts", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const put: Operation = { _tag: "Put", model: "User", id: "a", data: { email: "e" } }
          const refused = { _tag: "Rejected", rejection: { _tag: "NotFound", model: "User" } } as const
          assert.deepStrictEqual((yield* node.submit(put)).result, refused)
          yield* node.setLocalParts(part())
          assert.deepStrictEqual((yield* node.submit(put)).result, refused)
          const both = yield* node.submit({ _tag: "Transact", operations: [create("a"), put] })
          assert.deepStrictEqual(both.result, {
            _tag: "Rejected",
            rejection: { _tag: "NotFound", model: "User", operation: 1 }
          })
          assert.strictEqual(slugOf(node, "a"), undefined)
        })
      )
    })
  )
})

describe("a local part in the node's own log (D4)", () => {
  it.live("is set, patched and cleared, is refused where it is wrong, and a restart keeps it with its revision", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const set = yield* node.setLocalParts(part())
          const held = { createdIndex: 7, version: 1, revision: 1, data: { note: "n" } }
          assert.deepStrictEqual(set, { index: 1, result: { _tag: "Accepted", parts: [held], isReplayed: false } })
          const same = yield* node.setLocalParts(part({ how: "patch", data: {} }))
          assert.deepStrictEqual(same, { index: 1, result: { _tag: "Accepted", parts: [held], isReplayed: false } })
          const wrong = yield* node.setLocalParts(part({ data: { email: "e" } }))
          assert.strictEqual(wrong.result._tag === "Rejected" && wrong.result.rejection._tag, "InvalidRequest")
          const cleared = yield* node.setLocalParts(part({ version: 2, data: {} }))
          assert.strictEqual(cleared.result._tag === "Accepted" && cleared.result.parts[0]?.revision, 2)
          const earlier = yield* node.setLocalParts(part({ createdIndex: 3, data: { note: "late" } }))
          assert.deepStrictEqual(earlier.result, { _tag: "Accepted", parts: [undefined], isReplayed: false })
        })
      )
      yield* during(path, (node) =>
        Effect.sync(() => {
          const held = node.tables.byModel.get("User")?.localParts.get("a")
          assert.deepStrictEqual(held, { createdIndex: 7, version: 2, revision: 2, data: {} })
        })
      )
    })
  )

  it.live("several are set together, each after those before it, or none of them is", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const of = (id: string, note: unknown, version = 1) =>
            part({ id, version, how: "patch", data: { note } }).parts
          const both = yield* node.setLocalParts({ parts: [...of("a", "one"), ...of("b", "n"), ...of("a", "two", 2)] })
          const notes = both.result._tag === "Accepted" ? both.result.parts.map((each) => each?.data.note) : []
          assert.deepStrictEqual([both.index, notes], [1, ["one", "n", "two"]])
          const held = node.tables.byModel.get("User")?.localParts.get("a")
          assert.deepStrictEqual(held, { createdIndex: 7, version: 2, revision: 2, data: { note: "two" } })
          const half = yield* node.setLocalParts({ parts: [...of("a", "three", 3), ...of("b", 1)] })
          assert.strictEqual(half.result._tag, "Rejected")
          assert.strictEqual(node.tables.index, 1)
        })
      )
    })
  )

  it.live("what comes late is refused by what was written for its version of the record, or for a later one", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const late = (version: number) => node.setLocalParts(part({ version, isLate: true, data: { note: "late" } }))
          yield* node.setLocalParts(part({ version: 2 }))
          for (const version of [1, 2]) {
            const rejection = { _tag: "VersionConflict", currentVersion: 2 } as const
            assert.deepStrictEqual((yield* late(version)).result, { _tag: "Rejected", rejection })
          }
          assert.strictEqual((yield* late(3)).result._tag, "Accepted")
        })
      )
    })
  )

  it.live("past the bound of an entry it is too large, and nothing is appended", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const huge = yield* node.setLocalParts(part({ data: { note: "n".repeat(8 * 1024 * 1024) } }))
          assert.strictEqual(huge.result._tag === "Rejected" && huge.result.rejection._tag, "TooLarge")
          assert.strictEqual(node.tables.index, 0)
        })
      )
    })
  )

  it.effect(
    "a log without room for its next segment takes no write, certainly not done, until there is room (docs/raft.md, Disk)",
    () =>
      Effect.gen(function* () {
        const room = yield* SubscriptionRef.make<LogRoom>({ _tag: "Roomy" })
        const space = yield* LogSpace
        const node = yield* LocalNode.make({ life: "n-1", models }).pipe(
          Effect.provideService(LogSpace, { ...space, roomChanges: SubscriptionRef.changes(room) })
        )
        yield* node.submit(create("a"))
        yield* SubscriptionRef.set(room, { _tag: "StorageShort", message: "no space left", neededBytes: 4096 })
        yield* Effect.yieldNow
        const refused = yield* Effect.flip(node.submit(create("b")))
        assert.deepStrictEqual([refused._tag, "reason" in refused && refused.reason], ["NotDone", "storage-full"])
        assert.strictEqual(slugOf(node, "a"), "a")
        yield* SubscriptionRef.set(room, { _tag: "Roomy" })
        yield* Effect.yieldNow
        yield* node.submit(create("b"))
        assert.strictEqual(slugOf(node, "b"), "b")
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(layerMemory, layerMemorySnapshots)))
  )

  it.live("the log is bounded: a snapshot takes the place of what lies below it, and a start restores both (§7)", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const during = <A, E>(use: (node: LocalNode.LocalNode["Service"]) => Effect.Effect<A, E, LogSpace>) =>
        Effect.gen(function* () {
          return yield* use(yield* LocalNode.make({ life: "n-1", models, snapshotAfterBytes: 4096 }))
        }).pipe(
          Effect.scoped,
          Effect.provide(
            Layer.merge(
              layerFile({ directory: join(path, "local"), segmentSizeBytes: 4096 }),
              layerFileSnapshots({ directory: join(path, "local-snapshots") })
            ),
            { local: true }
          )
        )
      const states: Array<unknown> = []
      const state = ({ tables }: LocalNode.LocalNode["Service"]) => [
        tables.index,
        Tables.stateHash(tables),
        tables.byModel.get("User")?.localParts.toArray()
      ]
      yield* during((node) =>
        Effect.gen(function* () {
          yield* node.submit(create("a"))
          for (let hits = 1; hits <= 200; hits++) {
            yield* node.submit({ _tag: "Patch", model: "View", id: "a", data: { hits } })
            yield* node.setLocalParts(part({ version: hits, data: { note: `${hits}` } }))
          }
          const space = yield* LogSpace
          yield* Effect.repeat(Effect.sync(space.firstIndex), {
            until: (index) => index > 100,
            schedule: Schedule.spaced("5 millis")
          })
          states.push(state(node))
        })
      )
      assert.isBelow(readdirSync(join(path, "local")).length, 20)
      yield* during((node) =>
        Effect.gen(function* () {
          states.push(state(node))
          yield* node.submit(create("b"))
          assert.strictEqual(node.tables.index, 402)
        })
      )
      assert.deepStrictEqual(states[1], states[0])
      for (const name of readdirSync(join(path, "local-snapshots"))) rmSync(join(path, "local-snapshots", name))
      const refused = yield* Effect.flip(during(() => Effect.void))
      assert.strictEqual(refused._tag, "LogCorrupt")
    }).pipe(Effect.scoped)
  )

  it.effect("a node that never runs for long bounds its log all the same: what it replays counts (§7)", () =>
    Effect.gen(function* () {
      const space = yield* LogSpace
      const store = yield* LogStore
      for (let life = 1; life <= 4; life++) {
        const recovered = { ...store.recovered, lastIndex: (life - 1) * 2 }
        yield* Effect.gen(function* () {
          const node = yield* LocalNode.make({ life: "n-1", models, snapshotAfterBytes: 700 })
          yield* node.submit(create(`a${life}`))
          yield* node.submit(create(`b${life}`))
          yield* Effect.yieldNow
        }).pipe(Effect.scoped, Effect.provideService(LogStore, { ...store, recovered }))
      }
      assert.isAbove(space.firstIndex(), 1)
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(layerMemory, layerMemorySnapshots)))
  )
})

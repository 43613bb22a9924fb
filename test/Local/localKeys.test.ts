/** Idempotency keys of a node's own data: assigned ones, large outcomes, and what compaction leaves of them. C17. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"
import { layerFile as layerFileSnapshots } from "../../src/EventStore/Snapshots.ts"
import * as LocalNode from "../../src/Local/LocalNode.ts"
import type { Command, Origin } from "../../src/Machine/Command.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Model from "../../src/Model.ts"
import { User } from "../Machine/Store.ts"

class View extends Model.Class<View>("View")({ id: Model.id(Schema.String), html: Schema.String }, { mode: "local" }) {}
const user = Model.describe(User)
const models = [Model.describe(View), user]

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-local-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A node on its files for as long as `use` takes; its log can be made to fail once it has written. */
const during = <A, E>(
  path: string,
  use: (node: LocalNode.LocalNode["Service"], fail: () => void) => Effect.Effect<A, E, LogSpace>
) =>
  Effect.gen(function* () {
    const store = yield* LogStore
    let isFailing = false
    const failing = LogStore.of({
      ...store,
      append: (writes) =>
        Effect.andThen(
          store.append(writes),
          Effect.suspend(() => (isFailing ? Effect.fail(new LogFailed({ message: "a sync failed" })) : Effect.void))
        )
    })
    const node = yield* Effect.provideService(
      LocalNode.make({ life: "n-1", models, snapshotAfterBytes: 4096 }),
      LogStore,
      failing
    )
    return yield* use(node, () => {
      isFailing = true
    })
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

const put = (id: string, html: string): Command => ({ _tag: "Put", model: "View", id, data: { html } })
const fingerprint = "f".repeat(43)
const noted = { id: "a", createdIndex: 7, version: 1, how: "put", data: { note: "n" } } as const

describe("the keys of a node's own data", () => {
  it.live(
    "a write of unknown outcome tells the key that it was assigned, by which a restart says what became of it",
    () =>
      Effect.gen(function* () {
        const path = yield* directory
        const keys = yield* during(path, (node, fail) =>
          Effect.gen(function* () {
            yield* node.submit(put("before", "b"))
            fail()
            const written = Effect.flip(node.submit({ ...put("a", "a"), fingerprint }))
            const set = Effect.flip(
              node.setLocalParts({ parts: [{ descriptor: user, request: noted }], origin: { fingerprint } })
            )
            const failures = yield* Effect.all([written, set], { concurrency: "unbounded" })
            return failures.map((failure) => (failure._tag === "UnknownOutcome" ? (failure.key ?? "") : failure._tag))
          })
        )
        for (const key of keys) {
          const said = DatedKey.parse(key)
          assert.isTrue(said?.isOfNode === true && DatedKey.isOf(said, fingerprint), key)
        }
        yield* during(path, (node) =>
          Effect.gen(function* () {
            const [first, second] = yield* Effect.forEach(keys, (key) => node.keyStatus({ key }))
            assert.deepInclude(first, { _tag: "Known", index: 2, command: "Put" })
            assert.deepInclude(second, { _tag: "Known", index: 3, command: "LocalPart" })
            const copy = yield* node.submit({ ...put("a", "a"), key: keys[0]!, fingerprint })
            assert.strictEqual(copy.result.replayedIndex, 2)
            const never = DatedKey.make({ isOfNode: true, afterIndex: node.tables.index, unique: "0" })
            assert.deepStrictEqual(yield* node.keyStatus({ key: never }), { _tag: "Absent" })
          })
        )
      }).pipe(Effect.scoped)
  )

  it.live("a large outcome is told from the log until that is compacted, and never done again (§7)", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const large = { ...put("large", "l".repeat(Limits.current.outcomeMaxBytes)), key: "large", fingerprint }
      const small = { ...put("small", "s"), key: "small", fingerprint }
      const ended = { ...put("ended", "e"), key: "ended", fingerprint }
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const first = yield* node.submit(large)
          assert.deepStrictEqual((yield* node.submit(large)).result, { ...first.result, replayedIndex: 1 })
          yield* node.submit(small)
          yield* node.submit({ _tag: "Close", key: ended.key })
          for (let count = 0; count < 200; count++) yield* node.submit(put("x", `${count}`))
          const space = yield* LogSpace
          const schedule = Schedule.spaced("5 millis")
          yield* Effect.repeat(Effect.sync(space.firstIndex), { until: (index) => index > 3, schedule })
          const forgotten = { _tag: "Rejected", rejection: { _tag: "KeyExpired" } } as const
          assert.deepStrictEqual((yield* node.submit(large)).result, forgotten)
          assert.deepStrictEqual(yield* node.keyStatus({ key: "large" }), { _tag: "Expired" })
        })
      )
      yield* during(path, (node) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* node.submit(small)).result.replayedIndex, 2)
          assert.deepInclude(yield* node.keyStatus({ key: "small" }), { _tag: "Known", index: 2, command: "Put" })
          assert.deepStrictEqual(yield* node.keyStatus({ key: "ended" }), { _tag: "Closed" })
          const late = yield* node.submit(ended)
          assert.deepStrictEqual(late.result, { _tag: "Rejected", rejection: { _tag: "KeyClosed" } })
          assert.strictEqual(node.tables.index, 203)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("a part that changes nothing is an entry where a client's key is to remember it, and else none", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* during(path, (node) =>
        Effect.gen(function* () {
          const set = (origin?: { readonly key?: string; readonly fingerprint: string }) =>
            node.setLocalParts({
              parts: [{ descriptor: user, request: noted }],
              ...(origin === undefined ? {} : { origin })
            })
          yield* set()
          yield* set()
          yield* set({ fingerprint })
          assert.strictEqual(node.tables.index, 1)
          yield* set({ key: "k", fingerprint })
          assert.strictEqual(node.tables.index, 2)
          assert.deepInclude(yield* node.keyStatus({ key: "k" }), { _tag: "Known", index: 2, command: "LocalPart" })
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live(
    "parts with a key are set once: the key decides of copies that come at once, late, or under another request",
    () =>
      Effect.gen(function* () {
        const path = yield* directory
        const set = (node: LocalNode.LocalNode["Service"], note: string, origin: Origin) =>
          Effect.map(
            node.setLocalParts({ parts: [{ descriptor: user, request: { ...noted, data: { note } } }], origin }),
            ({ result }) =>
              result._tag === "Accepted" ? [result.isReplayed, result.parts[0]?.data.note] : [result.rejection._tag]
          )
        const origin = { key: "k", fingerprint }
        yield* during(path, (node) =>
          Effect.gen(function* () {
            const copies = Effect.forEach(["one", "two"], (note) => set(node, note, origin), {
              concurrency: "unbounded"
            })
            assert.deepStrictEqual(yield* copies, [
              [false, "one"],
              [true, "one"]
            ])
            assert.deepStrictEqual(yield* set(node, "newer", { fingerprint }), [false, "newer"])
            assert.deepStrictEqual(yield* set(node, "one", origin), [true, "newer"])
            assert.deepStrictEqual(yield* set(node, "one", { ...origin, fingerprint: "other" }), ["KeyReused"])
            yield* node.submit({ _tag: "Close", key: "closed" })
            assert.deepStrictEqual(yield* set(node, "one", { ...origin, key: "closed" }), ["KeyClosed"])
          })
        )
        // An assigned key is held by its index alone: the entry tells what it came to, the end of the key included.
        yield* during(path, (node) =>
          Effect.gen(function* () {
            const assigned = (unique: string) =>
              DatedKey.make({ isOfNode: true, afterIndex: node.tables.index, unique, fingerprint })
            const [sent, ended] = [assigned("0"), assigned("1")]
            yield* node.submit({ _tag: "Close", key: ended })
            assert.deepStrictEqual(yield* set(node, "last", { ...origin, key: sent }), [false, "last"])
            assert.deepStrictEqual(yield* set(node, "one", { ...origin, key: sent }), [true, "last"])
            assert.deepStrictEqual(yield* set(node, "one", { ...origin, key: ended }), ["KeyClosed"])
            assert.deepStrictEqual(yield* set(node, "one", origin), [true, "last"])
          })
        )
      }).pipe(Effect.scoped)
  )
})

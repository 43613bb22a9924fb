/** Projections folded in memory: what they come to, what is saved of them, and what becomes of those that fail. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Result, Schema, SchemaTransformation, Scope } from "effect"
import type { Feed } from "../../src/Cluster/Feed.ts"
import { type DerivedFiles, derivedIn, derivedInMemory } from "../../src/EventStore/DerivedFiles.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import * as Model from "../../src/Model.ts"
import type { Folded } from "../../src/Projection/Definition.ts"
import * as Fold from "../../src/Projection/Fold.ts"
import * as Memory from "../../src/Projection/Memory.ts"
import { decode, encode } from "../../src/Projection/Saved.ts"
import * as Projection from "../../src/Projection.ts"
import { playNode } from "./PlayedNode.ts"
import { makeFaulty, makeHistory, makeSpent, models, Order, order } from "./Sales.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-projection-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const layerSmallFiles = Layer.unwrap(
  Effect.map(temporary, (directory) => layerFile({ directory, segmentSizeBytes: 4096 }))
)

const statesOf = <S>(running: Memory.Running<S>) => Object.fromEntries(running.states.entries())

/** A life of a projection: `stop` ends it in order. */
const start = Effect.fnUntraced(function* <S>(
  projection: Folded<S>,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly saveAfterCount?: number }
) {
  const scope = yield* Scope.make()
  const running = yield* Scope.provide(Memory.run(projection, options), scope)
  return { running, stop: Scope.close(scope, Exit.void) }
})

const bytesOf = <S>(projection: Folded<S>, snapshot: { readonly index: number; readonly states: Fold.States<S> }) =>
  Buffer.concat([...encode(projection, snapshot)].map((part) => Result.getOrThrow(part)))

for (const [name, log, files] of [
  ["in memory", layerMemory, Effect.sync(() => derivedInMemory())],
  ["in files", layerSmallFiles, Effect.map(temporary, (path) => derivedIn(join(path, "derived")))]
] as const) {
  describe(`a projection of a log ${name}`, () => {
    it.live("folds every event of its models once, in order, decoded by its own model", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        yield* node.lead
        yield* node.write({
          _tag: "Transact",
          operations: [
            order("ann", 500),
            { _tag: "Create", model: "Refund", data: { order: "x", at: "2026-02-03T00:00:00Z" } }
          ]
        })
        yield* node.write({ _tag: "Patch", model: "Order", id: "1", data: { cents: 400 } })
        yield* node.write({ _tag: "Delete", model: "Order", id: "1" })
        yield* node.apply()
        const feed = node.start({ isWarm: false })
        const { running } = yield* start(makeHistory(), { files: yield* files, feed })
        yield* running.until(4)
        assert.deepStrictEqual(statesOf(running)[Fold.wholeKey], [
          "2.0 created Order 1 v1",
          "2.1 refund of x in 2026",
          "3.0 updated Order 1 v2",
          "4.0 deleted Order 1 v3"
        ])
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("is equal at an equal index, whenever and however it came there", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        const customers = ["ann", "bob", "", "__proto__", "constructor"]
        for (let at = 0; at < 300; at++) {
          if (at % 7 === 6) yield* node.write({ _tag: "Delete", model: "Order", id: String(at - (at - 6) / 7 - 5) })
          else yield* node.write(order(customers[at % customers.length]!, at))
        }
        const early = yield* start(makeSpent(), { files: yield* files, feed: node.start({ isWarm: true }) })
        for (let index = 1; index <= 300; index += 13) {
          yield* node.apply(index)
          yield* early.running.until(index)
        }
        yield* node.apply()
        yield* early.running.until(300)
        for (const isWarm of [true, false]) {
          const late = yield* start(makeSpent(), { files: yield* files, feed: node.start({ isWarm }) })
          yield* late.running.until(300)
          assert.deepStrictEqual(statesOf(late.running), statesOf(early.running))
        }
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("goes on from where it was saved when it stopped, and folds nothing twice", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        const saved = yield* files
        const seen: Array<number> = []
        const spent = makeSpent({ seen: (index) => seen.push(index) })
        for (let index = 1; index <= 30; index++) {
          yield* node.write(order("ann", 1))
          yield* node.apply()
          if (index % 10 !== 0) continue
          const { running, stop } = yield* start(spent, { files: saved, feed: node.start({ isWarm: index === 20 }) })
          yield* running.until(index)
          assert.deepStrictEqual(statesOf(running), { ann: { orders: index, cents: index } })
          yield* stop
        }
        assert.deepStrictEqual(
          seen,
          Array.from({ length: 30 }, (_, at) => at + 1)
        )
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("killed at any moment while it is folded, and started again, comes to the same", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        for (let at = 0; at < 200; at++) yield* node.write(order(`c${at % 17}`, at))
        yield* node.apply()
        const whole = yield* start(makeSpent(), { files: derivedInMemory(), feed: node.start({ isWarm: false }) })
        yield* whole.running.until(200)
        const saved = yield* files
        const savedIndex = Effect.map(saved.read("spent.projection"), (bytes) =>
          bytes === undefined ? 0 : Result.getOrThrow(decode(makeSpent(), bytes)).index
        )
        for (const [at, diesBeforeSave] of [true, false, false, true, false].entries()) {
          // What a killed process leaves behind is what it had saved by then, and nothing that a stop in order writes.
          const died = yield* Deferred.make<void>()
          let isAlive = true
          const dying: DerivedFiles = {
            ...saved,
            write: (...file) =>
              Effect.gen(function* () {
                if (isAlive && !diesBeforeSave) yield* saved.write(...file)
                isAlive = false
                yield* Deferred.succeed(died, undefined)
              })
          }
          const seen: Array<number> = []
          const spent = makeSpent({ seen: (index) => seen.push(index) })
          const beganIndex = yield* savedIndex
          yield* node.apply(40 * (at + 1))
          const options = { files: dying, feed: node.start({ isWarm: false }), saveAfterCount: 25 }
          const { running, stop } = yield* start(spent, options)
          yield* Deferred.await(died)
          yield* running.until(40 * (at + 1))
          yield* stop
          assert.strictEqual(seen[0], beganIndex + 1)
          assert.isTrue(diesBeforeSave ? (yield* savedIndex) === beganIndex : (yield* savedIndex) > beganIndex)
        }
        yield* node.apply()
        const last = yield* start(makeSpent(), { files: saved, feed: node.start({ isWarm: false }) })
        yield* last.running.until(200)
        assert.deepStrictEqual(statesOf(last.running), statesOf(whole.running))
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("is saved as it was at one entry, whatever is folded while it is", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        const kept: Array<Fold.States<{ readonly orders: number }>> = []
        const saved = yield* files
        const watching: DerivedFiles = {
          ...saved,
          write: (name, parts) => {
            const { index, states } = Result.getOrThrow(decode(makeSpent(), Buffer.concat(parts)))
            kept.push(states)
            const ordersCount = [...states.values()].reduce((sum, { orders }) => sum + orders, 0)
            assert.strictEqual(ordersCount, index)
            return saved.write(name, parts)
          }
        }
        // Enough keys for a file of many parts, between which others have their turn.
        for (let at = 0; at < 4_000; at++) yield* node.write(order(`customer ${at % 2_500} ${"x".repeat(200)}`, 1))
        yield* node.apply()
        const { running, stop } = yield* start(makeSpent(), {
          files: watching,
          feed: node.start({ isWarm: true }),
          saveAfterCount: 100
        })
        yield* running.until(4_000)
        yield* stop
        assert.isAtLeast(kept.length, 2)
      }).pipe(Effect.scoped, Effect.provide(layerMemory))
    )

    it.live("is folded anew when its version changes, or what was saved is not what it was", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        const saved = yield* files
        for (const customer of ["ann", "bob", "ann"]) yield* node.write(order(customer, 10))
        yield* node.apply()
        const foldedFor = Effect.fnUntraced(function* (version: number) {
          const seen: Array<number> = []
          const spent = makeSpent({ version, seen: (index) => seen.push(index) })
          const { running, stop } = yield* start(spent, { files: saved, feed: node.start({ isWarm: true }) })
          yield* running.until(3)
          assert.deepStrictEqual(statesOf(running), { ann: { orders: 2, cents: 20 }, bob: { orders: 1, cents: 10 } })
          yield* stop
          return seen
        })
        assert.deepStrictEqual(yield* foldedFor(1), [1, 2, 3])
        assert.deepStrictEqual(yield* foldedFor(1), [])
        assert.deepStrictEqual(yield* foldedFor(2), [1, 2, 3])
        assert.deepStrictEqual(yield* foldedFor(2), [])
        const bytes = yield* saved.read("spent.projection")
        bytes![10]! ^= 1
        yield* saved.write("spent.projection", [bytes!])
        assert.deepStrictEqual(yield* foldedFor(2), [1, 2, 3])
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("that throws stops at that entry, says so, and holds up nobody; mended, it goes on", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        const saved = yield* files
        const feed = node.start({ isWarm: true })
        const faulty = yield* start(makeFaulty("bob"), { files: saved, feed })
        const spent = yield* start(makeSpent(), { files: saved, feed })
        for (const customer of ["ann", "bob", "ann"]) yield* node.write(order(customer, 10))
        const waiting = yield* Effect.forkChild(Effect.flip(faulty.running.until(3)), { startImmediately: true })
        yield* node.apply()
        const failure = yield* Fiber.join(waiting)
        assert.deepInclude(failure, { _tag: "ProjectionFailed", projection: "faulty", index: 2 })
        assert.match(failure.message, /no orders of bob, please/)
        assert.strictEqual(faulty.running.index(), 1)
        yield* spent.running.until(3)
        yield* faulty.stop
        const mended = yield* start(makeFaulty("nobody"), { files: saved, feed: node.start({ isWarm: true }) })
        yield* mended.running.until(3)
        assert.deepStrictEqual(statesOf(mended.running), { [Fold.wholeKey]: 3 })
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("stops where a newer version of its model was written, until its node knows that one too (D2)", () =>
      Effect.gen(function* () {
        const fields = { id: Model.id(Schema.String), customer: Schema.String, cents: Schema.Int } as const
        class Newer extends Model.Class<Newer>("Order")(
          { ...fields, note: Schema.optionalKey(Schema.String) },
          { mode: "replicate", version: 2 }
        ) {}
        const count = (model: Projection.Followed) =>
          Projection.make("count", {
            from: [model],
            version: 1,
            state: Schema.Int,
            initial: 0,
            evolve: (sum) => sum + 1
          })
        const node = yield* playNode([Newer])
        const saved = yield* files
        yield* node.write(order("ann", 1))
        yield* node.apply()
        const old = yield* start(count(Order), { files: saved, feed: node.start({ isWarm: true }) })
        const failure = yield* Effect.flip(old.running.until(1))
        assert.match(failure.message, /written by version 2 of its model, is newer than version 1, which this node has/)
        yield* old.stop
        const upgraded = yield* start(count(Newer), { files: saved, feed: node.start({ isWarm: true }) })
        yield* upgraded.running.until(1)
        assert.deepStrictEqual(statesOf(upgraded.running), { [Fold.wholeKey]: 1 })
      }).pipe(Effect.scoped, Effect.provide(log))
    )

    it.live("is unavailable, and not wrong, where the log no longer reaches back to it (§7)", () =>
      Effect.gen(function* () {
        const node = yield* playNode(models)
        for (let at = 0; at < 100; at++) yield* node.write(order("ann", 1))
        yield* node.apply(50)
        const saved = yield* files
        const before = yield* start(makeSpent(), { files: saved, feed: node.start({ isWarm: false }) })
        yield* before.running.until(50)
        yield* before.stop
        yield* node.apply()
        yield* node.compact(90)
        const { running } = yield* start(makeSpent(), { files: saved, feed: node.start({ isWarm: false }) })
        const failure = yield* Effect.flip(running.until(100))
        assert.deepInclude(failure, { _tag: "ProjectionUnavailable", projection: "spent", index: 51 })
      }).pipe(Effect.scoped, Effect.provide(log))
    )
  })
}

describe("a projection in memory", () => {
  it.live("is saved one save at a time: where saving is slower than folding, none waits for another", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const isOpen = yield* Deferred.make<void>()
      const kept = derivedInMemory()
      let writeCount = 0
      const slow: DerivedFiles = {
        ...kept,
        write: (...file) => {
          writeCount += 1
          return Effect.andThen(Deferred.await(isOpen), kept.write(...file))
        }
      }
      const { running, stop } = yield* start(makeSpent(), {
        files: slow,
        feed: node.start({ isWarm: true }),
        saveAfterCount: 10
      })
      for (let index = 1; index <= 205; index++) {
        yield* node.write(order("ann", 1))
        yield* node.apply()
        yield* running.until(index)
      }
      yield* Deferred.succeed(isOpen, undefined)
      yield* Effect.repeat(Effect.yieldNow, { times: 1_000 })
      assert.strictEqual(writeCount, 1, "the one that was under way")
      yield* stop
      assert.strictEqual(writeCount, 2)
      const bytes = yield* kept.read("spent.projection")
      assert.strictEqual(Result.getOrThrow(decode(makeSpent(), bytes!)).index, 205)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("fails where its one state would be undefined, rather than being at its beginning again", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const lost = Projection.make("lost", {
        from: [Order],
        version: 1,
        state: Schema.UndefinedOr(Schema.Int),
        initial: 5 as number | undefined,
        evolve: () => undefined
      })
      const { running } = yield* start(lost, { files: derivedInMemory(), feed: node.start({ isWarm: true }) })
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const failure = yield* Effect.flip(running.until(1))
      assert.deepInclude(failure, { _tag: "ProjectionFailed", index: 1 })
      assert.match(failure.message, /returned undefined for a state/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("is read back in slices, between which others have their turn", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const states = Fold.empty<{ orders: number; cents: number }>()
      for (let at = 0; at < 40_000; at++) states.set(`customer ${at}`, { orders: at, cents: at })
      const files = derivedInMemory(new Map([["spent.projection", bytesOf(makeSpent(), { index: 0, states })]]))
      let turnCount = 0
      const others = Effect.andThen(
        Effect.sleep(1),
        Effect.sync(() => void turnCount++)
      )
      yield* Effect.forkChild(Effect.forever(others))
      const { running } = yield* start(makeSpent(), { files, feed: node.start({ isWarm: true }) })
      assert.isAbove(turnCount, 4)
      assert.strictEqual(running.states.size, 40_000)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("may have a state that is null, which is not its initial one", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const turning = Projection.make("turning", {
        from: [Order],
        version: 1,
        state: Schema.NullOr(Schema.Int),
        initial: 5 as number | null,
        evolve: (state) => (state === null ? 7 : null)
      })
      const { running } = yield* start(turning, { files: derivedInMemory(), feed: node.start({ isWarm: true }) })
      for (const [at, expected] of [null, 7, null].entries()) {
        yield* node.write(order("ann", 1))
        yield* node.apply()
        yield* running.until(at + 1)
        assert.strictEqual(statesOf(running)[Fold.wholeKey], expected)
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})

describe("what is saved of a projection", () => {
  const states = Fold.empty<{ orders: number; cents: number }>()
  for (const key of ["ann", "", "line\nfeed", "__proto__", "\u{1f642}"])
    states.set(key, { orders: 1, cents: key.length })
  const bytes = bytesOf(makeSpent(), { index: 17, states })

  it("is read back as it was", () => {
    const { index, states: read } = Result.getOrThrow(decode(makeSpent(), bytes))
    assert.strictEqual(index, 17)
    assert.deepStrictEqual([...read.entries()], [...states.entries()])
  })

  it("is refused with any byte changed, or cut at any byte", () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 0x80]) {
        const damaged = Uint8Array.from(bytes)
        damaged[at]! ^= bit
        assert.isTrue(Result.isFailure(decode(makeSpent(), damaged)), `bit ${bit} of byte ${at}`)
      }
      assert.isTrue(Result.isFailure(decode(makeSpent(), bytes.subarray(0, at))), `cut at ${at}`)
    }
  })

  it("is refused by another version, and by a projection of another name or kind", () => {
    for (const other of [makeSpent({ version: 2 }), makeHistory(), makeFaulty("x")]) {
      assert.isTrue(Result.isFailure(decode<unknown>(other, bytes)))
    }
  })

  it("is refused where a model has another version, and read where a release that names none saved it", () => {
    class Later extends Model.Class<Later>("Order")(
      { id: Model.id(Schema.String), customer: Schema.String, cents: Schema.Int },
      { mode: "replicate", version: 2 }
    ) {}
    const later = Projection.make("spent", {
      from: [Later],
      version: 1,
      state: Schema.Struct({ orders: Schema.Int, cents: Schema.Int }),
      initial: { orders: 0, cents: 0 },
      key: ({ record }) => record.customer,
      evolve: (state) => state
    })
    assert.deepStrictEqual(decode(later, bytes), Result.fail("it was folded from version 1 of Order"))
    const ofLater = bytesOf(later, { index: 1, states: Fold.empty<{ orders: number; cents: number }>() })
    assert.isTrue(Result.isSuccess(decode(later, ofLater)))
    assert.deepStrictEqual(decode(makeSpent(), ofLater), Result.fail("it was folded from version 2 of Order"))
    const unnamed = { ...makeSpent(), models: {} }
    assert.isTrue(Result.isSuccess(decode(makeSpent(), bytesOf(unnamed, { index: 1, states: Fold.empty() }))))
  })

  it("is refused where the schema throws, rather than keeping the node from starting", () => {
    const throwing = Projection.make("throwing", {
      from: [Order],
      version: 1,
      state: Schema.String.pipe(
        Schema.decodeTo(
          Schema.Int,
          SchemaTransformation.transform({
            decode: () => {
              throw new Error("a defect")
            },
            encode: String
          })
        )
      ),
      initial: 0,
      evolve: (count) => count + 1
    })
    const states = Fold.empty<number>()
    states.set(Fold.wholeKey, 5)
    assert.isTrue(Result.isFailure(decode(throwing, bytesOf(throwing, { index: 1, states }))))
  })

  it("is nothing where a state does not fit its schema", () => {
    const wrong = Fold.empty<{ orders: number; cents: number }>()
    wrong.set("ann", { orders: 0.5, cents: 1 })
    const parts = [...encode(makeSpent(), { index: 1, states: wrong })]
    assert.isTrue(parts.some(Result.isFailure))
  })
})

describe("the declaration of a projection", () => {
  const declare = (options: { readonly name?: string; readonly version?: number; readonly from?: [typeof Order] }) =>
    Projection.make(options.name ?? "count", {
      from: options.from ?? [Order],
      version: options.version ?? 1,
      state: Schema.Int,
      initial: 0,
      evolve: (count) => count + 1
    })

  it("takes no name that is no file's and no path's, and no version below 1", () => {
    for (const name of ["", "../up", "a/b", "Upper", "x".repeat(65)]) assert.throws(() => declare({ name }), /name/)
    for (const version of [0, 1.5, Number.NaN]) assert.throws(() => declare({ version }), /version/)
  })

  it("follows no local model: its events are in no log that all nodes hold", () => {
    class Draft extends Model.Class<Draft>("Draft")({ id: Model.id(Schema.String) }, { mode: "local" }) {}
    const from = [Draft] as unknown as [typeof Order]
    assert.throws(() => declare({ from }), /cannot follow Draft: a local model/)
  })
})

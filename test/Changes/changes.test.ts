/** Followers of a node's log, which may read it from memory, from small files, and from nowhere any more. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { system } from "../../src/Access/Caller.ts"
import { type Asked, type Follow, make, type Told } from "../../src/Changes/Changes.ts"
import { streamOf } from "../../src/Changes/Source.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import type { Command, Operation } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { Problem } from "../../src/Problem.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"
import { settleNow } from "../../src/Raft/node/Settle.ts"
import { seeded } from "../Machine/Seeded.ts"
import { descriptors, Product, User } from "../Machine/Store.ts"
import { playNode } from "../Projection/PlayedNode.ts"

const layerSmallFiles = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-changes-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    ),
    (directory) => layerFile({ directory, segmentSizeBytes: 4096 })
  )
)

/** A node that the test plays, its changes, and what its clients have been told. */
const playChanges = Effect.gen(function* () {
  const node = yield* playNode([Product, User])
  const { changed, until } = Condition.make()
  let isDraining = false
  const member = (isWarm: boolean) => ({
    feed: node.start({ isWarm }),
    get tables() {
      return node.tables()
    },
    self: { nodeId: "n1", address: "n1", instanceId: "ab-1", peers: [] },
    isStopping: () => false,
    isRemoved: () => false,
    isDraining: () => isDraining,
    node: () => undefined,
    readIndexUnsafe: ((settle: (exit: Exit.Exit<number>) => void) =>
      settleNow(settle, Exit.succeed(node.log.lastIndex))) as never,
    staleMs: () => undefined,
    until
  })
  const start = Effect.fnUntraced(function* (isWarm: boolean) {
    const followed = member(isWarm)
    const local = {
      tables: Tables.make([]),
      feed: followed.feed,
      entry: () => Effect.succeed(undefined),
      erasedThrough: () => 0
    }
    const { follow } = yield* make({ member: followed, local })
    return { member: followed, follow }
  })
  const drain = (): void => {
    isDraining = true
    changed()
  }
  return { node, start, drain }
})

const asked = (options: Partial<Asked> = {}): Asked => ({ models: descriptors, restart: "/again", ...options })

/** Takes steps until the follower has seen all that is applied, and the end of its first state. */
const catchUp = Effect.fnUntraced(function* ({ bookmark, ready, take }: Follow, index: number) {
  const told: Array<Told> = []
  while (true) {
    const seen = yield* bookmark
    if (seen._tag === "Bookmark" && seen.position.shown === undefined && seen.index >= index) return told
    yield* ready
    told.push(...(yield* take))
  }
})

/** Operations that change something, whatever was before. */
const drawCommand = ({ below, pick }: ReturnType<typeof seeded>, step: number): Command => {
  const operation = (): Operation => {
    const id = `r${below(12)}`
    return pick<Operation>([
      {
        _tag: "Put",
        model: "Product",
        id,
        data: { price: step + below(1_000) / 1_000, category: "c".repeat(below(90)) }
      },
      { _tag: "Put", model: "Product", id, data: { price: step + below(1_000) / 1_000 } },
      { _tag: "Put", model: "User", id, data: { email: `${id}-${step}-${below(1_000)}` } }
    ])
  }
  return below(4) === 0
    ? { _tag: "Transact", operations: Array.from({ length: 1 + below(90) }, operation) }
    : operation()
}

const idOf = ({ format }: Follow, told: Told) => format(told.position)

for (const [name, log] of [
  ["in memory", layerMemory],
  ["in small files", layerSmallFiles]
] as const) {
  describe(`the changes in a log ${name}`, () => {
    it.live("are told each once and in order, from any position on, from memory and from disk alike", () =>
      Effect.gen(function* () {
        const { node, start } = yield* playChanges
        const random = seeded(7)
        /** By the results of the commands. */
        const expected: Array<readonly [id: string, version: number]> = []
        for (let step = 0; step < 60; step++) {
          if (random.below(8) === 0) yield* node.lead
          const { index, result } = yield* node.submit(drawCommand(random, step))
          assert.strictEqual(result._tag, "Accepted")
          if (result._tag !== "Accepted") continue
          const changes = result.answer.operations.filter(({ change }) => change !== "unchanged")
          expected.push(...changes.map(({ version }, ordinal) => [`${index}.${ordinal}`, version] as const))
        }
        assert.isAbove(expected.length, 300)
        const { lastIndex } = node.log
        for (const isWarm of [true, false]) {
          const { follow } = yield* start(isWarm)
          const positions = ["0", ...expected.map(([id]) => id), ...expected.map(([id]) => id.split(".")[0]!)]
          for (const after of positions.filter((_, at) => at % (isWarm ? 7 : 29) === 0)) {
            const following = yield* follow(system, asked({ after }))
            const told = yield* catchUp(following, lastIndex)
            const at = after.includes(".")
              ? expected.findIndex(([id]) => id === after) + 1
              : expected.findLastIndex(([id]) => Number(id.split(".")[0]) <= Number(after)) + 1
            assert.deepStrictEqual(
              told.map((each) => [idOf(following, each), each._tag === "Change" ? each.version : 0] as const),
              expected.slice(at),
              `after ${after}`
            )
          }
        }
      }).pipe(Effect.scoped, Effect.provide(log))
    )
  })
}

describe("a first state", () => {
  it.live("comes to the state of its end, wherever it breaks off while records change", () =>
    Effect.gen(function* () {
      const { node, start } = yield* playChanges
      for (let seed = 0; seed < 12; seed++) {
        const random = seeded(seed)
        const { follow } = yield* start(true)
        for (let step = 0; step < 20; step++) yield* node.submit(drawCommand(random, seed * 100 + step))
        /** What the client has: it sees records of a first state once, and then changes alone. */
        const has = new Map<string, string>()
        const take = (told: Told): void => {
          if (told._tag === "Bookmark" || told._tag === "Erased" || told._tag === "Left") return
          const key = `${told.model} ${told.id}`
          const isKnown = has.has(key)
          assert.isFalse(told._tag === "Record" && isKnown, `seed ${seed}: ${key} is told twice as a record`)
          if (told._tag === "Change" && told.type === "deleted") has.delete(key)
          else has.set(key, JSON.stringify([told.version, told.record]))
        }
        let after: string | undefined
        let isWhole = false
        while (!isWhole) {
          const following = yield* follow(system, asked(after === undefined ? { isInitial: true } : { after }))
          after = idOf(following, yield* following.bookmark)
          for (let step = 0; step < 1 + random.below(2) && !isWhole; step++) {
            yield* following.ready
            const told = yield* following.take
            // The connection may break off within a step.
            const seen = told.slice(0, random.below(3) === 0 ? random.below(told.length + 1) : told.length)
            for (const each of seen) {
              take(each)
              after = idOf(following, each)
              isWhole ||= each._tag === "Bookmark" && each.isInitialEnd
            }
            if (seen.length < told.length) break
          }
          if (random.below(2) === 0 && !isWhole) yield* node.submit(drawCommand(random, seed * 100 + 50))
        }
        const index = Number(after)
        assert.strictEqual(index, node.log.lastIndex)
        const state = [...node.tables().byModel].flatMap(([model, { rows }]) =>
          Array.from(
            rows.entries(),
            ([id, row]) => [`${model} ${id}`, JSON.stringify([row.version, row.data])] as const
          )
        )
        assert.deepStrictEqual(has, new Map(state), `seed ${seed}`)
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("goes on for the same models alone: a position within it says nothing about others", () =>
    Effect.gen(function* () {
      const { node, start } = yield* playChanges
      yield* node.submit({ _tag: "Put", model: "Product", id: "p", data: { price: 1 } })
      yield* node.submit({ _tag: "Put", model: "User", id: "u", data: { email: "u" } })
      const { follow } = yield* start(true)
      const [product, user] = [
        descriptors.filter(({ name }) => name === "Product"),
        descriptors.filter(({ name }) => name === "User")
      ]
      const following = yield* follow(system, asked({ models: user, isInitial: true }))
      yield* following.ready
      const before = idOf(following, yield* following.bookmark)
      const told = yield* following.take
      const [within, end] = told.map((each) => idOf(following, each)) as [string, string]
      assert.deepStrictEqual(
        told.map(({ _tag }) => _tag),
        ["Record", "Bookmark"]
      )
      for (const after of [before, within]) {
        for (const models of [product, descriptors]) {
          const met = yield* Effect.flip(follow(system, asked({ after, models })))
          assert.deepStrictEqual([after, met.kind], [after, "invalid-request"])
        }
        yield* follow(system, asked({ after, models: user }))
      }
      // Once the first state is told, a position is one of the log, and good for any models.
      yield* follow(system, asked({ after: end, models: product }))
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("is sent to 64 readers at once, and refused to more until one has it or goes", () =>
    Effect.gen(function* () {
      const { node, start } = yield* playChanges
      yield* node.submit(drawCommand(seeded(1), 1))
      const { follow } = yield* start(true)
      const initial = follow(system, asked({ isInitial: true }))
      const [first] = yield* Effect.all(Array.from({ length: 64 }, () => initial))
      const refused = yield* Effect.flip(initial)
      assert.strictEqual(refused.kind, "overloaded")
      yield* catchUp(first!, node.log.lastIndex)
      yield* Effect.scoped(initial)
      yield* initial
      assert.strictEqual((yield* Effect.flip(initial)).kind, "overloaded")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})

describe("a follower of changes", () => {
  it.live("is told that they are gone: below what is kept, past what is committed, and of another log", () =>
    Effect.gen(function* () {
      const { node, start } = yield* playChanges
      for (let step = 0; step < 9; step++) yield* node.submit(drawCommand(seeded(step), step))
      const { follow } = yield* start(true)
      const following = yield* follow(system, asked({ after: "1" }))
      yield* node.compact(5)
      const gone = { oldestIndex: 6, restart: "/again" }
      for (const after of ["0", "4", "5.0", "10", "9999", "ab-1:7"]) {
        const met = yield* Effect.flip(follow(system, asked({ after })))
        assert.deepStrictEqual([after, met.kind, met.members], [after, "changes-gone", gone])
      }
      yield* follow(system, asked({ after: "5" }))
      // A reader that was slower than the compaction hears the same.
      const met = yield* Effect.flip(following.take)
      assert.deepStrictEqual([met.kind, met.members], ["changes-gone", gone])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("begins with a bookmark, and ends with one when its node begins to stop", () =>
    Effect.gen(function* () {
      const { drain, node, start } = yield* playChanges
      yield* node.submit(drawCommand(seeded(1), 1))
      const { follow, member } = yield* start(true)
      const following = yield* follow(system, asked())
      const seen: Array<Told> = []
      const running = yield* Stream.runForEach(streamOf(following, member), (told) =>
        Effect.sync(() => {
          seen.push(told)
          if (seen.length === 1) drain()
        })
      ).pipe(Effect.exit, Effect.forkChild)
      const exit = yield* Fiber.join(running)
      assert.deepStrictEqual(
        seen.map(({ _tag, position }) => [_tag, position.index]),
        [
          ["Bookmark", 1],
          ["Bookmark", 1]
        ]
      )
      const met = Option.getOrThrow(Exit.findErrorOption(exit))
      assert.isTrue(met instanceof Problem && met.kind === "draining")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})

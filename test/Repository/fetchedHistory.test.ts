/**
 * A node that was sent a snapshot fetches the history that it lacks from its peers, though the one that gives it dies in
 * the middle, and then answers as they do.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import { system } from "../../src/Access/Caller.ts"
import { Changes } from "../../src/Changes/Changes.ts"
import { Member } from "../../src/Cluster/Member.ts"
import * as Model from "../../src/Model.ts"
import { Records } from "../../src/Repository/Records.ts"
import { TestCluster } from "../../src/Testing.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String),
  text: Model.replicate(Schema.String)
}) {}
const descriptor = Model.describe(Note)

/** Snapshots come early, and the log is short. */
const raft = { snapshotAfterBytes: 400_000, logRetainedCount: 3 }

/** So much payload takes many questions to fetch. */
const textBytes = 100_000
const writesCount = 60

const put = (number: number) =>
  Effect.gen(function* () {
    const records = yield* Records
    const data = { id: "a", text: `${number} ${"x".repeat(textBytes)}` }
    yield* records.change(system, descriptor, { _tag: "Put", model: "Note", id: "a", data })
  })

const oldestIndex = Effect.map(Member, ({ feed }) => feed.oldestIndex())

/** The versions in the node's history of the record. */
const versions = Effect.gen(function* () {
  const records = yield* Records
  const { value } = yield* records.history(system, descriptor, "a", { place: { afterVersion: 0 }, limit: 1_000 })
  return { isComplete: value!.isComplete, versions: value!.items.map(({ version }) => version) }
})

/** The numbers in the changes that follow an index, until there are no more. */
const changesAfter = (index: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const changes = yield* Changes
      const follow = yield* changes.follow(system, {
        after: String(index),
        isInitial: false,
        models: [descriptor],
        restart: "/api/notes"
      })
      const found: Array<number> = []
      while (follow.isReady()) {
        for (const told of yield* follow.take) if (told._tag === "Change") found.push(told.version)
      }
      return found
    })
  )

describe("a node that was sent a snapshot", { timeout: 60_000 }, () => {
  it.effect("fetches the history that it lacks, though the peer that gives it dies in the middle", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    return Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      const away = cluster.nodes.find((node) => node !== leader)!
      yield* cluster.on(leader, put(1))
      yield* cluster.settle
      yield* cluster.partition([away])
      for (let number = 2; number <= writesCount; number++) yield* cluster.on(leader, put(number))
      yield* cluster.heal
      yield* cluster.settle
      const all = Array.from({ length: writesCount }, (_, at) => at + 1)
      assert.isAbove(yield* cluster.on(away, oldestIndex), 10, "it was sent a snapshot")
      assert.isFalse((yield* cluster.on(away, versions)).isComplete)
      const gone = yield* Effect.flip(cluster.on(away, changesAfter(2)))
      assert.strictEqual(gone._tag === "Problem" ? gone.kind : gone._tag, "changes-gone")

      // Each question takes 25 ms and a way there and back: there are some twenty.
      yield* cluster.advance("1.2 seconds")
      assert.isAbove(yield* cluster.on(away, oldestIndex), 10, "it has not ended")
      assert.isFalse(logged.some((line) => line.startsWith("Fetched")))
      // It asks the second of the others first.
      const source = cluster.nodes.filter((node) => node !== away)[1]!
      yield* cluster.crash(source)
      yield* cluster.settle
      yield* cluster.advance("10 seconds")
      assert.isTrue(
        logged.some((line) => line.startsWith(`Cannot fetch history from ${source}`)),
        logged.join("\n")
      )
      assert.isTrue(logged.some((line) => line.startsWith("Fetched")))
      assert.strictEqual(yield* cluster.on(away, oldestIndex), 1)
      assert.deepStrictEqual(yield* cluster.on(away, versions), { isComplete: true, versions: all })
      assert.deepStrictEqual((yield* cluster.on(away, changesAfter(2))).slice(-writesCount + 3), all.slice(3))
      yield* cluster.restart(...cluster.nodes)
      yield* cluster.settle
      assert.deepStrictEqual(yield* cluster.on(away, versions), { isComplete: true, versions: all })
    }).pipe(Effect.provide(TestCluster.layer({ models: [Note], raft })), Effect.provide(Logger.layer([logger])))
  })
})

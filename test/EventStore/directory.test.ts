import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Directory, layerDirectory } from "../../src/EventStore/Directory.ts"

const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-directory-"))
const open = (directory: string, nodeId = "a:8081") => layerDirectory({ directory, nodeId })

/** A process that holds the directory until it is killed; it resolves once the lock is taken. */
function holder(directory: string): Effect.Effect<ChildProcess> {
  const program = fileURLToPath(new URL("directoryHolder.ts", import.meta.url))
  return Effect.promise(async () => {
    const child = spawn(process.execPath, [program, directory, "a:8081"], { stdio: ["ignore", "pipe", "inherit"] })
    await once(child.stdout, "data")
    return child
  })
}

const kill = (child: ChildProcess) =>
  Effect.promise(async () => {
    const exit = once(child, "exit")
    child.kill("SIGKILL")
    await exit
  })

const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.match(effect, { onFailure: (error) => error._tag as string, onSuccess: () => "opened" })

describe("the data directory", () => {
  it.live("keeps the identity across starts, and is new only once (C16)", () => {
    const directory = freshDirectory()
    const look = Effect.gen(function* () {
      const { identity, isNew, life } = yield* Directory
      return { identity: yield* identity, isNew, life }
    }).pipe(Effect.provide(open(directory), { local: true }))
    return Effect.gen(function* () {
      const first = yield* look
      const second = yield* look
      assert.isTrue(first.isNew)
      assert.isFalse(second.isNew)
      assert.deepStrictEqual(second.identity, first.identity)
      assert.strictEqual(first.identity.clusterId, null)
      assert.deepStrictEqual(readdirSync(directory).sort(), ["life.2", "lock", "node.json", "starts"])
    })
  })

  it.live("counts every start, one that was killed too, and none that was refused (C23)", () => {
    const directory = freshDirectory()
    const life = Effect.map(Directory, (opened) => opened.life).pipe(Effect.provide(open(directory), { local: true }))
    return Effect.gen(function* () {
      assert.deepStrictEqual([yield* life, yield* life], [1, 2])
      const held = yield* holder(directory)
      assert.strictEqual(yield* tagOf(life), "DirectoryInUse")
      yield* kill(held)
      assert.strictEqual(yield* life, 4)
      const other = Effect.provide(Effect.asVoid(Directory), open(directory, "b:8082"), { local: true })
      assert.strictEqual(yield* tagOf(other), "DirectoryMismatch")
      // As a copy of two states of the directory, one over the other, leaves it.
      writeFileSync(join(directory, "life.3"), "")
      assert.strictEqual(yield* life, 5)
    })
  })

  it.live("joins one cluster, durably, and never another (C15)", () => {
    const directory = freshDirectory()
    return Effect.gen(function* () {
      const { setClusterId } = yield* Directory
      yield* setClusterId("one")
      yield* setClusterId("one")
      assert.strictEqual(JSON.parse(readFileSync(join(directory, "node.json"), "utf8")).clusterId, "one")
      assert.strictEqual(yield* tagOf(setClusterId("two")), "DirectoryMismatch")
    }).pipe(Effect.provide(open(directory)))
  })

  it.live("is refused to a node of another name, and when node.json is damaged", () => {
    const directory = freshDirectory()
    const start = (nodeId: string) =>
      tagOf(Effect.provide(Effect.asVoid(Directory), open(directory, nodeId), { local: true }))
    return Effect.gen(function* () {
      assert.strictEqual(yield* start("a:8081"), "opened")
      assert.strictEqual(yield* start("b:8082"), "DirectoryMismatch")
      writeFileSync(join(directory, "node.json"), "{")
      assert.strictEqual(yield* start("a:8081"), "LogCorrupt")
    })
  })

  it.live("is refused when node.json is gone from beside a log (C16)", () => {
    const directory = freshDirectory()
    mkdirSync(join(directory, "log"))
    const start = tagOf(Effect.provide(Effect.asVoid(Directory), open(directory), { local: true }))
    return Effect.gen(function* () {
      assert.strictEqual(yield* start, "LogCorrupt")
    })
  })

  it.live("is refused to a second user in the same process, and free again after the first", () => {
    const directory = freshDirectory()
    const start = tagOf(Effect.provide(Effect.asVoid(Directory), open(directory), { local: true }))
    return Effect.gen(function* () {
      assert.strictEqual(yield* Effect.provide(start, open(directory), { local: true }), "DirectoryInUse")
      assert.strictEqual(yield* start, "opened")
    })
  })

  it.live("is refused to a second process, and free again once the first was killed -9", () => {
    const directory = freshDirectory()
    const start = tagOf(Effect.provide(Effect.asVoid(Directory), open(directory), { local: true }))
    return Effect.gen(function* () {
      const child = yield* holder(directory)
      const whileHeld = yield* start
      yield* kill(child)
      assert.strictEqual(whileHeld, "DirectoryInUse")
      assert.strictEqual(yield* start, "opened")
    })
  })

  it.live(
    "is free at once for a process with the id of one that was killed -9, as PID 1 of a new container has",
    () => {
      const directory = freshDirectory()
      // What a process leaves that was killed: the file, which names nobody.
      writeFileSync(join(directory, "lock"), "")
      return Effect.gen(function* () {
        const start = tagOf(Effect.provide(Effect.asVoid(Directory), open(directory), { local: true }))
        assert.strictEqual(yield* start, "opened")
      })
    }
  )
})

/**
 * A crash within every call of a directory that is made anew, on a simulated disk: no node starts on half of one, and the
 * same command ends what was begun. Old data is there, under one name or another, until the end and after it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Stream } from "effect"
import { ESTABLISHING_FILE, FILE, readIdentity, writeIdentity } from "../../src/EventStore/Directory.ts"
import { type Established, establish, finish, isLeftover, isPlacing } from "../../src/EventStore/Establish.ts"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory, makeDirectory } from "../../src/EventStore/Files.ts"
import { History } from "../../src/EventStore/History.ts"
import { layerFile as layerHistory } from "../../src/EventStore/HistoryFiles.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { openOfflineLog } from "../../src/EventStore/OfflineLog.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile as layerSnapshots } from "../../src/EventStore/Snapshots.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"

const directory = "/var/lib/node"
const suffix = ".before-1000"
const content = new TextEncoder().encode("the rows of the new cluster")
const former = { formatVersion: 1, clusterId: "old", nodeId: "a", instanceId: "old-a" } as const
const made: Established = {
  identity: { formatVersion: 1, clusterId: "new", nodeId: "a", instanceId: "new-a" },
  index: 1_000,
  term: 3,
  configuration: new Uint8Array(8),
  content: [content],
  history: [
    { fromIndex: 1, toIndex: 3 },
    { fromIndex: 7, toIndex: 6 },
    { fromIndex: 999, toIndex: 1_000 }
  ].map((range) => ({
    ...range,
    read: ({ fromIndex }) => Effect.succeed([{ index: fromIndex, term: 2, type: "noop", payload: new Uint8Array(40) }])
  })),
  segmentSizeBytes: 4096
}

/** Runs work as one process on the disk. */
const on = <A, E>(disk: Disk.SimulatedDisk, work: Effect.Effect<A, E>, options: Files.ProcessOptions = {}) => {
  const process = Files.start(disk, options)
  return Effect.map(Effect.exit(Effect.provideService(work, FileSystem, process.system)), (exit) => ({ exit, process }))
}

/** A node's data, as a former cluster left them. */
const formerData = Effect.gen(function* () {
  yield* makeDirectory(directory)
  yield* writeIdentity(directory, former)
  const log = yield* Layer.build(layerLog({ directory: `${directory}/log`, segmentSizeBytes: 4096, clusterId: "old" }))
  const entries = [1, 2, 3].map((index) => {
    return { index, term: 2, type: "noop", payload: new Uint8Array(0) } as const
  })
  yield* Context.get(log, LogStore).append([{ hardState: { currentTerm: 2, votedFor: "a" }, entries }])
  yield* makeDirectory(`${directory}/history`)
}).pipe(Effect.scoped)

/** What the command does: it ends an earlier attempt that was placing, or begins anew. */
const attempt = Effect.gen(function* () {
  yield* makeDirectory(directory)
  const names = yield* listDirectory(directory)
  const isMade = !names.includes(ESTABLISHING_FILE) && names.includes(FILE)
  // It was killed after its last change: the command sees another log than it was told of, and does nothing.
  if (isMade && (yield* readIdentity(directory)).clusterId === "new") return
  if (yield* isPlacing(directory)) yield* finish(directory)
  else yield* establish(directory, made, suffix)
})

/** The directory is whole, and its log goes on behind the snapshot. */
const checkNew = Effect.gen(function* () {
  const names = yield* listDirectory(directory)
  assert.notInclude(names, ESTABLISHING_FILE)
  assert.deepStrictEqual(yield* readIdentity(directory), made.identity)
  const log = yield* Layer.build(layerLog({ directory: `${directory}/log`, mustExist: true, clusterId: "new" }))
  const { recovered } = Context.get(log, LogStore)
  assert.deepStrictEqual(
    [recovered.firstIndex, recovered.lastIndex, recovered.hardState.currentTerm],
    [1_001, 1_000, 3]
  )
  const history = yield* Layer.build(layerHistory({ directory: `${directory}/history` }))
  assert.deepStrictEqual(Context.get(history, History).ranges(), [
    { fromIndex: 1, toIndex: 3 },
    { fromIndex: 999, toIndex: 1_000 }
  ])
  const snapshots = yield* Layer.build(layerSnapshots({ directory: `${directory}/snapshots` }))
  const newest = yield* Context.get(snapshots, SnapshotStore).openNewest({ atLeastIndex: 1_000 })
  assert.isDefined(newest)
  assert.deepStrictEqual(Buffer.concat(yield* Stream.runCollect(newest!.content)), Buffer.from(content))
}).pipe(Effect.scoped)

/** The former log, under its name or the one that it was given. */
const checkFormer = Effect.gen(function* () {
  const names = yield* listDirectory(directory)
  const folder = names.includes(`log${suffix}`) ? `log${suffix}` : "log"
  const { held } = yield* openOfflineLog({ directory: `${directory}/${folder}`, clusterId: "old" })
  assert.deepStrictEqual([held.lastIndex, held.hardState.votedFor], [3, "a"])
})

/** Either no node starts on it, or it is the former node, or it is the new one. */
const checkBetween = Effect.fnUntraced(function* (hasFormer: boolean) {
  const names = yield* Effect.orElseSucceed(listDirectory(directory), (): Array<string> => [])
  if (hasFormer) yield* checkFormer
  if (names.includes(ESTABLISHING_FILE)) return
  if (!names.includes(FILE)) {
    assert.isFalse(hasFormer, "the identity of the former node is there")
    assert.isTrue(names.every(isLeftover), `nothing is there that a node would begin with: ${names}`)
    // Before its marker is there, nothing of the new directory is.
    assert.isFalse(names.some((name) => name.endsWith(".new")))
    return
  }
  const { clusterId } = yield* readIdentity(directory)
  if (clusterId === "new") yield* checkNew
  else assert.isTrue(hasFormer)
})

for (const hasFormer of [false, true]) {
  for (const isPowerLost of [false, true]) {
    describe(`a directory made ${hasFormer ? "in the place of another" : "where there was none"}`, () => {
      it.effect(
        `after ${isPowerLost ? "a loss of power" : "a kill"} within any call is ended by the same command`,
        () =>
          Effect.gen(function* () {
            let seed = 0
            const prepared = Effect.fnUntraced(function* () {
              const disk = Disk.make(Random.make(seed++))
              if (hasFormer) assert.isTrue(Exit.isSuccess((yield* on(disk, formerData)).exit))
              return disk
            })
            const whole = yield* on(yield* prepared(), attempt)
            assert.isTrue(Exit.isSuccess(whole.exit))
            const callsCount = whole.process.callsCount()
            assert.isAbove(callsCount, 30)
            for (let killedAtCall = 1; killedAtCall <= callsCount; killedAtCall++) {
              const disk = yield* prepared()
              const { exit } = yield* on(disk, attempt, { killedAtCall })
              assert.isTrue(Exit.isFailure(exit), `call ${killedAtCall} of ${callsCount}`)
              if (isPowerLost) Disk.losePower(disk)
              const between = yield* on(disk, checkBetween(hasFormer))
              if (Exit.isFailure(between.exit))
                yield* Effect.logError(`killed at call ${killedAtCall} of ${callsCount}`)
              yield* between.exit
              const again = yield* on(disk, Effect.andThen(attempt, checkNew))
              if (Exit.isFailure(again.exit)) yield* Effect.logError(`killed at call ${killedAtCall}, then run again`)
              yield* again.exit
              if (hasFormer) yield* (yield* on(disk, checkFormer)).exit
            }
          })
      )
    })
  }
}

/** A small replicated log on a simulated disk, damaged and opened again: what the tests of its repair share. */
import { Context, Effect, Layer, Logger } from "effect"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { makeDirectory } from "../../src/EventStore/Files.ts"
import type { HardState, LogEntry, LogWrite } from "../../src/EventStore/LogEntry.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { isMarked } from "../../src/EventStore/RepairMark.ts"
import { layerFile, type Repairable } from "../../src/EventStore/VotedLog.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"
import { entries, entry } from "./logStoreContract.ts"

export const directory = "/data"

/** The vote is of the last batch but one, and a truncation stands in the last segment but one. */
export const BATCHES: ReadonlyArray<ReadonlyArray<LogWrite>> = [
  [{ hardState: { currentTerm: 1, votedFor: "a:8081" }, entries: entries(1, 2) }],
  [{ entries: [entry(3, 1, "x".repeat(3000))] }],
  [{ entries: [entry(4, 1, "y".repeat(900)), entry(5)] }],
  [{ truncateFromIndex: 4, hardState: { currentTerm: 2, votedFor: "b:8081" }, entries: entries(4, 5, 2) }],
  [{ entries: entries(6, 7, 2) }]
]

export const newestVote: HardState = { currentTerm: 2, votedFor: "b:8081" }

/** Peers give back all that is lost, and no snapshot is there. */
export const repairable: Repairable = {
  isCovered: () => Effect.succeed(false),
  refusal: () => Effect.succeed(undefined)
}

interface Opening {
  /** Without it, damage is refused. */
  readonly repairable?: Repairable
  readonly mustExist?: boolean
}

const layerOf = ({ mustExist = true, ...options }: Opening) =>
  layerFile({ directory, mustExist, segmentSizeBytes: 4096, ...options })

export const shownOf = (hardState: HardState, found: ReadonlyArray<LogEntry>): string =>
  [
    `${hardState.currentTerm} ${hardState.votedFor}`,
    ...found.map(({ index, payload, term }) => `${index} ${term} ${Buffer.from(payload).toString("latin1")}`)
  ].join("\n")

/** The log after so many batches, with the newest vote. */
export const after = (batchesCount: number): string => {
  let held: ReadonlyArray<LogEntry> = []
  for (const batch of BATCHES.slice(0, batchesCount)) {
    for (const { entries, truncateFromIndex } of batch) {
      held = [...held.slice(0, (truncateFromIndex ?? held.length + 1) - 1), ...entries]
    }
  }
  return shownOf(newestVote, held)
}

/** What a start finds, and whether it says that entries are lost. */
export const opened = Effect.gen(function* () {
  const { read, recovered } = yield* LogStore
  const { firstIndex, hardState, isRepairing = false, lastIndex } = recovered
  const found = yield* read({ fromIndex: firstIndex, toIndex: lastIndex, maxBytes: Number.MAX_SAFE_INTEGER })
  return { shown: shownOf(hardState, found), isRepairing, isMarked: yield* isMarked(directory) }
})

/** Runs one process on a disk. */
export const on = <A, E>(disk: Disk.SimulatedDisk, work: Effect.Effect<A, E>, options: Files.ProcessOptions = {}) =>
  Effect.gen(function* () {
    const process = Files.start(disk, options)
    const exit = yield* Effect.exit(Effect.provideService(work, FileSystem, process.system))
    process.kill()
    return { exit, process }
  }).pipe(Effect.provide(Logger.layer([])))

/** Opens the log for as long as `use` takes. */
export const during = <A, E>(use: Effect.Effect<A, E, LogStore>, opening: Opening = {}) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(layerOf(opening)), (context) =>
      Effect.provideService(use, LogStore, Context.get(context, LogStore))
    )
  )

/** Files by path. */
export type Contents = ReadonlyMap<string, Uint8Array>

export const contentsOf = (disk: Disk.SimulatedDisk): Contents =>
  new Map(Disk.filesIn(disk.root).map(({ file, path }) => [path, file.bytes.slice()]))

/** A disk that holds these files, all of them synced. */
export const diskOf = (contents: Contents, seed = 1): Disk.SimulatedDisk => {
  const disk = Disk.make(Random.make(seed))
  for (const [path, bytes] of contents) {
    const names = path.split("/").slice(1)
    let folder = disk.root
    for (const name of names.slice(0, -1)) {
      if (!folder.names.has(name)) Disk.addFolder(disk, folder, name)
      const next = folder.names.get(name)
      if (next?._tag !== "Folder") throw new Error(`${name} is no folder`)
      Disk.syncFolder(folder)
      folder = next
    }
    const file = Disk.addFile(disk, folder, names.at(-1)!)
    file.bytes = bytes.slice()
    file.platter = bytes.slice()
    Disk.syncFolder(folder)
  }
  return disk
}

/** The files of all {@link BATCHES}: as a crash leaves them, or as an orderly stop does, with a mark. */
export const written = Effect.fnUntraced(function* (how: "crashed" | "stopped") {
  const disk = Disk.make(Random.make(1))
  let crashed: Contents = new Map()
  const appending = Effect.gen(function* () {
    const log = yield* LogStore
    for (const batch of BATCHES) yield* log.append(batch)
    crashed = contentsOf(disk)
  })
  const { exit } = yield* on(disk, Effect.andThen(makeDirectory(directory), during(appending, { mustExist: false })))
  yield* exit
  return how === "crashed" ? crashed : contentsOf(disk)
})

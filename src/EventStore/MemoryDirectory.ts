/**
 * A node's data directory in memory: a disk that outlives the node, for tests of whole clusters. A sync takes time of
 * the clock that the node runs on. A crash during a sync loses the unsynced writes, all or the last of them.
 */
import { createHash } from "node:crypto"
import { Effect, Layer, Random, Semaphore, Stream } from "effect"
import { derivedInMemory } from "./DerivedFiles.ts"
import { DIRECTORY_FORMAT_VERSION, Directory, DirectoryMismatch, type LogName, type NodeIdentity } from "./Directory.ts"
import * as HistoryFiles from "./HistoryFiles.ts"
import * as KeptLog from "./KeptLog.ts"
import type { LogWrite } from "./LogEntry.ts"
import { LogFailed } from "./LogStore.ts"
import { applyWrite, layerMemoryOf, type MemoryLog, makeMemoryLog, type Sync } from "./MemoryLog.ts"
import { filesInMemory, type NamedFiles } from "./NamedFiles.ts"
import { parseSnapshotName } from "./SnapshotFormat.ts"
import { content } from "./SnapshotReader.ts"
import { layerOf } from "./Snapshots.ts"

/** How long a sync takes: drawn evenly for each. */
const syncMinMs = 0.2
const syncMaxMs = 10

/** The disk of one node. */
export interface MemoryDisk {
  identity: NodeIdentity
  /** How often a node has started on it. */
  livesCount: number
  /** The numbers of its starts. */
  readonly nonces: Set<string>
  readonly logs: Record<LogName, MemoryLog>
  readonly histories: Record<LogName, NamedFiles>
  readonly snapshots: NamedFiles
  readonly localSnapshots: NamedFiles
  readonly derived: Map<string, Uint8Array>
  /** The batches on their way to the disk, by log. */
  readonly unsynced: Map<MemoryLog, ReadonlyArray<LogWrite>>
  /** A test sets how much longer a sync takes, and whether the next one fails. */
  delayMs: number
  failsNext: boolean
  /** How often the power went. A node that started before the last time reaches this disk no more. */
  crashesCount: number
}

export const makeMemoryDisk = (node: { readonly nodeId: string; readonly instanceId: string }): MemoryDisk => ({
  identity: { formatVersion: DIRECTORY_FORMAT_VERSION, clusterId: null, ...node },
  livesCount: 0,
  nonces: new Set(),
  logs: { log: makeMemoryLog(), local: makeMemoryLog() },
  histories: { log: filesInMemory(), local: filesInMemory() },
  snapshots: filesInMemory(),
  localSnapshots: filesInMemory(),
  derived: new Map(),
  unsynced: new Map(),
  delayMs: 0,
  failsNext: false,
  crashesCount: 0
})

/** The power goes. Of each batch on its way, a random number of writes reached the disk, in order. */
export const crashDisk = (disk: MemoryDisk): Effect.Effect<void> =>
  Effect.gen(function* () {
    disk.crashesCount += 1
    disk.failsNext = false
    for (const [log, writes] of disk.unsynced) {
      const keptCount = yield* Random.nextIntBetween(0, writes.length)
      for (const write of writes.slice(0, keptCount)) applyWrite(log, write)
    }
    disk.unsynced.clear()
  })

/** The content of a file of a memory disk. */
export interface MemoryFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A snapshot as its content, and any other file as it is. */
const filesOf = (folder: string, files: NamedFiles) =>
  Effect.flatMap(files.names, (names) =>
    Effect.forEach(names, (name) =>
      Effect.gen(function* () {
        const readAt = yield* files.openToRead(name)
        const isSnapshot = parseSnapshotName(name) !== undefined
        const bytes = isSnapshot
          ? Buffer.concat(yield* Stream.runCollect(content(name, readAt)))
          : yield* readAt({ offset: 0, lengthBytes: Number.MAX_SAFE_INTEGER })
        return { name: `${folder}/${name}`, bytes } satisfies MemoryFile
      }).pipe(Effect.scoped)
    )
  )

/** All that a disk holds: entries one by one, also those on their way to it, snapshots unpacked, all other files as they are. */
export const contentsOf = (disk: MemoryDisk): Effect.Effect<ReadonlyArray<MemoryFile>> =>
  Effect.gen(function* () {
    const logs = (["log", "local"] as const).flatMap((name) => {
      const log = disk.logs[name]
      const onTheirWay = (disk.unsynced.get(log) ?? []).flatMap(({ entries }) => entries)
      return [...log.entries, ...onTheirWay].map(({ index, payload }) => ({ name: `${name}/${index}`, bytes: payload }))
    })
    return [
      ...logs,
      ...(yield* filesOf("history", disk.histories.log)),
      ...(yield* filesOf("local-history", disk.histories.local)),
      ...(yield* filesOf("snapshots", disk.snapshots)),
      ...(yield* filesOf("local-snapshots", disk.localSnapshots)),
      ...Array.from(disk.derived, ([name, bytes]) => ({ name: `derived/${name}`, bytes }))
    ]
  }).pipe(Effect.orDie)

const failed = new LogFailed({ message: "Cannot write: EIO" })

const gone = new LogFailed({ message: "Cannot write: the node of this disk has crashed" })

/** Opens `disk` for a node that runs until it crashes, or its scope closes. */
export const layerMemory = (disk: MemoryDisk): Layer.Layer<Directory> =>
  Layer.sync(Directory, () => {
    const oneAtATime = { log: Semaphore.makeUnsafe(1), local: Semaphore.makeUnsafe(1) }
    const startedAtCount = disk.crashesCount
    const life = ++disk.livesCount
    // Not random, so that a run can be repeated. Instance ids are.
    const nonce = createHash("sha256").update(`${disk.identity.instanceId}/${life}`).digest("hex").slice(0, 16)
    disk.nonces.add(nonce)
    const isGone = () => disk.crashesCount !== startedAtCount
    const syncOf =
      (name: LogName): Sync =>
      (log, writes) =>
        Effect.gen(function* () {
          if (isGone()) return yield* Effect.fail(gone)
          disk.unsynced.set(log, writes)
          yield* Effect.sleep((yield* Random.nextBetween(syncMinMs, syncMaxMs)) + disk.delayMs)
          if (isGone()) return yield* Effect.fail(gone)
          // The crash that follows decides how much of it reached the disk.
          if (disk.failsNext) return yield* Effect.fail(failed)
          disk.unsynced.delete(log)
          for (const write of writes) applyWrite(log, write)
        }).pipe(Effect.uninterruptible, oneAtATime[name].withPermits(1))
    const derived = derivedInMemory(disk.derived)
    return Directory.of({
      identity: Effect.sync(() => disk.identity),
      life,
      starts: { current: { life, nonce }, includes: (start) => disk.nonces.has(start.nonce) },
      isNew: disk.identity.clusterId === null,
      setClusterId: (clusterId) =>
        Effect.suspend(() => {
          const known = disk.identity.clusterId
          if (known !== null && known !== clusterId) {
            const message = `Cannot join cluster ${clusterId}: the node belongs to ${known}`
            return Effect.fail(new DirectoryMismatch({ message, directory: disk.identity.nodeId }))
          }
          disk.identity = { ...disk.identity, clusterId }
          return Effect.void
        }),
      log: (name) =>
        KeptLog.layer(layerMemoryOf(disk.logs[name], syncOf(name)), HistoryFiles.layerOf(disk.histories[name])),
      snapshots: Layer.orDie(layerOf(disk.snapshots)),
      localSnapshots: Layer.orDie(layerOf(disk.localSnapshots)),
      derived: {
        ...derived,
        write: (name, parts) => Effect.suspend(() => (isGone() ? Effect.fail(gone) : derived.write(name, parts)))
      },
      usage: Effect.succeed(undefined),
      watch: Effect.never
    })
  })

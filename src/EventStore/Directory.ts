/**
 * A node's data directory: the node's identity in `node.json`, under a lock, and the places of its logs and snapshots.
 */
import { randomUUID } from "node:crypto"
import { Context, Effect, Layer, Schema } from "effect"
import { type DerivedFiles, derivedIn } from "./DerivedFiles.ts"
import { LOCK_FILE, lockDirectory } from "./DirectoryLock.ts"
import { type DiskUsage, usageOf } from "./DiskUsage.ts"
import { layerFile } from "./FileLog.ts"
import { identityAt, isSame, listDirectory, makeDirectory, readWholeFile, writeFileAtomically } from "./Files.ts"
import type { History } from "./History.ts"
import * as HistoryFiles from "./HistoryFiles.ts"
import * as KeptLog from "./KeptLog.ts"
import { beginLife } from "./Life.ts"
import type { LogSpace } from "./LogSpace.ts"
import { LogCorrupt, type LogFailed, type LogStore } from "./LogStore.ts"
import { REPAIR_FILE } from "./RepairMark.ts"
import type { SnapshotStore } from "./SnapshotStore.ts"
import * as Snapshots from "./Snapshots.ts"
import type { OwnStarts } from "./Start.ts"
import { beginStart } from "./Starts.ts"
import * as VotedLog from "./VotedLog.ts"
import { VOTES_FOLDER } from "./Votes.ts"
import { watch } from "./Watch.ts"

export const DIRECTORY_FORMAT_VERSION = 1

/** The file with the node's identity. */
export const FILE = "node.json"

/** There while a restore or a recovery makes this directory (Establish.ts). No node starts on half of one. */
export const ESTABLISHING_FILE = "establishing.json"

/** The folders of a directory. A start makes them once {@link FILE} is there. */
const DATA: ReadonlyArray<string> = [
  "log",
  "local",
  "snapshots",
  "local-snapshots",
  "history",
  "local-history",
  "derived",
  VOTES_FOLDER,
  REPAIR_FILE
]
/** By log, the folder of its history. */
const HISTORY = { log: "history", local: "local-history" } as const

/**
 * The identity of a node. `clusterId` is null until it is formed. `instanceId` belongs to this directory: a new one
 * gets another (diss. 11.7.2).
 */
export const NodeIdentity = Schema.Struct({
  formatVersion: Schema.Literal(DIRECTORY_FORMAT_VERSION),
  clusterId: Schema.NullOr(Schema.String),
  nodeId: Schema.String,
  instanceId: Schema.String
})
export type NodeIdentity = typeof NodeIdentity.Type

const IdentityJson = Schema.fromJsonString(NodeIdentity)

/** The directory belongs to another node than the one that starts. */
export class DirectoryMismatch extends Schema.TaggedError<DirectoryMismatch>()("DirectoryMismatch", {
  message: Schema.String,
  directory: Schema.String
}) {}

/** The folders of the two logs: `log` is the replicated one, `local` is the node's own. */
export type LogName = "log" | "local"

/**
 * Requirements for a log: that it exists, and that it belongs to this cluster; and what is done about damage to the
 * replicated one, which is refused without that.
 */
export interface LogOptions {
  readonly mustExist?: boolean
  readonly clusterId?: string
  readonly repairable?: VotedLog.Repairable
}

/** The data directory of the running node, locked while it runs. */
export class Directory extends Context.Service<
  Directory,
  {
    readonly identity: Effect.Effect<NodeIdentity>
    /** The number of starts in this directory, with this one. It is synced before the node sends anything. */
    readonly life: number
    /** This start by a random number, and the former ones: a copy of the directory has others. */
    readonly starts: OwnStarts
    /** The identity of the node. A formed node (its `clusterId` is set) has a log: open it with `mustExist`. */
    readonly isNew: boolean
    /** Notes the cluster, durably when it returns. A formed node never changes its cluster. */
    readonly setClusterId: (clusterId: string) => Effect.Effect<void, LogFailed | DirectoryMismatch>
    /** The replicated log, or the node's own, with its history. Each build opens it anew; only one may be open. */
    readonly log: (
      name: LogName,
      options?: LogOptions
    ) => Layer.Layer<LogStore | LogSpace | History, LogFailed | LogCorrupt>
    /** The snapshots of the replicated log. */
    readonly snapshots: Layer.Layer<SnapshotStore, LogFailed>
    /** The snapshots of the node's own log. */
    readonly localSnapshots: Layer.Layer<SnapshotStore, LogFailed>
    readonly derived: DerivedFiles
    /** How full the disk is; undefined if there is none, or it does not say. */
    readonly usage: Effect.Effect<DiskUsage | undefined>
    /**
     * Fails once the directory, its lock or its `node.json` was removed or replaced. Logs and snapshots have watches of
     * their own.
     */
    readonly watch: Effect.Effect<never, LogFailed>
  }
>()("lithair/EventStore/Directory") {}

/** Writes an identity under a name, durably when it returns. */
export const writeIdentity = (directory: string, identity: NodeIdentity, name = FILE) => {
  const json = `${JSON.stringify(identity, undefined, 2)}\n`
  return writeFileAtomically({ directory, name, parts: [new TextEncoder().encode(json)] })
}

/** The identity that an earlier start left in a directory. */
export const readIdentity = Effect.fnUntraced(function* (directory: string) {
  const bytes = yield* readWholeFile(`${directory}/${FILE}`)
  return yield* Schema.decodeEffect(IdentityJson)(new TextDecoder().decode(bytes)).pipe(
    Effect.mapError((error) => {
      const message = `Cannot read "${directory}/${FILE}": ${error.message}`
      return new LogCorrupt({ message, file: FILE, offset: 0, index: 0 })
    })
  )
})

const make = Effect.fnUntraced(function* (options: DirectoryOptions) {
  const { directory, isDefaultId = false, nodeId } = options
  yield* makeDirectory(directory)
  const lock = yield* lockDirectory(directory)
  const names = yield* listDirectory(directory)
  if (names.includes(ESTABLISHING_FILE)) {
    const message = `Cannot open "${directory}": a restore or a recovery into it has not ended. Run the same command again`
    return yield* new LogCorrupt({ message, file: ESTABLISHING_FILE, offset: 0, index: 0 })
  }
  const isNew = !names.includes(FILE)
  const orphan = isNew ? names.find((name) => DATA.includes(name)) : undefined
  if (orphan !== undefined) {
    // Another identity here would let the node vote twice in one term.
    const message = `Cannot open "${directory}": it holds "${orphan}", but "${FILE}" is missing`
    return yield* new LogCorrupt({ message, file: FILE, offset: 0, index: 0 })
  }
  // Ids must differ between starts even if a test seeds the randomness, so Effect's Random does not make them.
  const minted = Effect.sync((): NodeIdentity => {
    return { formatVersion: DIRECTORY_FORMAT_VERSION, clusterId: null, nodeId, instanceId: randomUUID() }
  })
  let identity = isNew ? yield* minted : yield* readIdentity(directory)
  if (isNew) yield* writeIdentity(directory, identity)
  if (identity.nodeId !== nodeId && !isDefaultId) {
    const message = `Cannot start node "${nodeId}" in "${directory}": it is the directory of node "${identity.nodeId}"`
    return yield* new DirectoryMismatch({ message, directory })
  }
  const life = yield* beginLife(directory, names)
  const starts = yield* beginStart(directory, life)

  const setClusterId = Effect.fnUntraced(function* (clusterId: string) {
    if (identity.clusterId === clusterId) return
    if (identity.clusterId !== null) {
      const message = `Cannot join cluster ${clusterId} in "${directory}": the node belongs to ${identity.clusterId}`
      return yield* new DirectoryMismatch({ message, directory })
    }
    const formed = { ...identity, clusterId }
    yield* writeIdentity(directory, formed)
    identity = formed
  })

  /** SQLite holds the locked file open, so no other file gets its identity while it has its name. */
  const lost = Effect.gen(function* () {
    const path = `${directory}/${LOCK_FILE}`
    if (!isSame(lock, yield* identityAt(path))) return `"${path}" is another file, which anybody may lock`
    yield* identityAt(`${directory}/${FILE}`)
    return undefined
  })

  return Directory.of({
    identity: Effect.sync(() => identity),
    life,
    starts,
    isNew,
    setClusterId,
    log: (name, { repairable, ...options } = {}) =>
      KeptLog.layer(
        name === "log"
          ? VotedLog.layerFile({ directory, ...options, ...(repairable === undefined ? {} : { repairable }) })
          : layerFile({ directory: `${directory}/${name}`, ...options }),
        HistoryFiles.layerFile({ directory: `${directory}/${HISTORY[name]}` })
      ),
    snapshots: Snapshots.layerFile({ directory: `${directory}/snapshots` }),
    localSnapshots: Snapshots.layerFile({ directory: `${directory}/local-snapshots` }),
    derived: derivedIn(`${directory}/derived`),
    usage: usageOf(directory),
    watch: watch(lost)
  })
})

/** A data directory, and the node that opens it. */
export interface DirectoryOptions {
  readonly directory: string
  readonly nodeId: string
  /** Nobody chose the id, so that of the directory counts: a node may move to another address, which is its default id. */
  readonly isDefaultId?: boolean
}

/** Opens the data directory of `nodeId`, or makes it. */
export const layerDirectory = (options: DirectoryOptions) => Layer.effect(Directory, make(options))

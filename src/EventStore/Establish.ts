/**
 * Makes a data directory whose log begins behind a snapshot: in an empty one, or in the place of another node's data,
 * which is set aside. A crash at any point leaves a directory on which no node starts, and the same call ends what was
 * begun. FORMAT.md has the files.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { ESTABLISHING_FILE, FILE, type NodeIdentity, writeIdentity } from "./Directory.ts"
import { LOCK_FILE } from "./DirectoryLock.ts"
import { layerFile } from "./FileLog.ts"
import {
  listDirectory,
  makeDirectory,
  readWholeFile,
  renameFile,
  syncDirectory,
  unlinkFile,
  writeFileAtomically
} from "./Files.ts"
import { History, type HistoryRange } from "./History.ts"
import * as HistoryFiles from "./HistoryFiles.ts"
import { LogCorrupt, type LogFailed, LogStore } from "./LogStore.ts"
import { REPAIR_FILE } from "./RepairMark.ts"
import { SnapshotStore } from "./SnapshotStore.ts"
import * as Snapshots from "./Snapshots.ts"
import { VOTES_FOLDER } from "./Votes.ts"

/**
 * How far the work is. Until all new files are made, nothing of the old ones is touched; then they change places. Old
 * files get the suffix.
 */
const Marker = Schema.Struct({ phase: Schema.Literals(["making", "placing"]), suffix: Schema.String })
const MarkerJson = Schema.fromJsonString(Marker)

const NEW = ".new"
/** In this order: a directory with its {@link FILE} has all of the rest. What has no new one is only set aside. */
const PLACED = ["log", "snapshots", "history", "derived", VOTES_FOLDER, REPAIR_FILE, FILE]
const MADE_FOLDERS = ["log", "snapshots", "history"]

/** Gives the next entries in order, those of `fromIndex` first. It is asked for each once. */
export type ReadOnce = LogStore["Service"]["read"]

/** What a directory is to hold. */
export interface Established {
  readonly identity: NodeIdentity & { readonly clusterId: string }
  /** The last entry that the snapshot stands for. The log begins behind it. */
  readonly index: number
  readonly term: number
  /** The members, as consensus encodes them. */
  readonly configuration: Uint8Array
  readonly content: Iterable<Uint8Array>
  /** Entries for the history, ascending, none above the index. `read` gives those of a range in order, each once. */
  readonly history?: ReadonlyArray<HistoryRange & { readonly read: ReadOnce }>
  /** The size of the log's segments; that of every log by default. */
  readonly segmentSizeBytes?: number
}

const mark = (directory: string, marker: typeof Marker.Type) =>
  writeFileAtomically({
    directory,
    name: ESTABLISHING_FILE,
    parts: [new TextEncoder().encode(JSON.stringify(marker))]
  })

const readMarker = Effect.fnUntraced(function* (directory: string) {
  const bytes = yield* readWholeFile(`${directory}/${ESTABLISHING_FILE}`)
  return yield* Schema.decodeEffect(MarkerJson)(new TextDecoder().decode(bytes)).pipe(
    Effect.mapError(({ message }) => {
      return new LogCorrupt({
        message: `Cannot read "${ESTABLISHING_FILE}": ${message}`,
        file: ESTABLISHING_FILE,
        offset: 0,
        index: 0
      })
    })
  )
})

/** Removes what an earlier attempt made. */
const clear = Effect.fnUntraced(function* (directory: string) {
  const names = yield* listDirectory(directory)
  for (const folder of MADE_FOLDERS.map((name) => `${name}${NEW}`).filter((name) => names.includes(name))) {
    for (const name of yield* listDirectory(`${directory}/${folder}`))
      yield* unlinkFile(`${directory}/${folder}/${name}`)
  }
})

const makeNew = Effect.fnUntraced(function* (
  directory: string,
  { history = [], identity, segmentSizeBytes, ...snapshot }: Established
) {
  const { clusterId } = identity
  const { index, term } = snapshot
  const snapshots = yield* Layer.build(Snapshots.layerFile({ directory: `${directory}/snapshots${NEW}` }))
  yield* Context.get(snapshots, SnapshotStore).write(snapshot)
  // It is made even if it holds nothing: a folder with a new one changes places with the old one.
  const kept = yield* Layer.build(HistoryFiles.layerFile({ directory: `${directory}/history${NEW}` }))
  for (const range of history) {
    if (range.fromIndex <= range.toIndex) yield* Context.get(kept, History).keep(range, range.read)
  }
  const log = yield* Layer.build(
    layerFile({
      directory: `${directory}/log${NEW}`,
      clusterId,
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes })
    })
  )
  const hardState = { currentTerm: term, votedFor: undefined }
  yield* Context.get(log, LogStore).append([{ snapshot: { index, term }, hardState, entries: [] }])
  yield* writeIdentity(directory, identity, `${FILE}${NEW}`)
}, Effect.scoped)

/** Puts the new files in the place of the old ones. It may have been begun before. */
const place = Effect.fnUntraced(function* (directory: string, suffix: string) {
  const rename = (from: string, to: string) =>
    Effect.andThen(renameFile(`${directory}/${from}`, `${directory}/${to}`), syncDirectory(directory))
  for (const name of PLACED) {
    const names = yield* listDirectory(directory)
    const isMade = names.includes(`${name}${NEW}`)
    // With a new one made, the name is the old one's until the new one has it.
    const isOld = names.includes(name) && (isMade || ![...MADE_FOLDERS, FILE].includes(name))
    if (isOld) yield* rename(name, `${name}${suffix}`)
    if (isMade) yield* rename(`${name}${NEW}`, name)
  }
  yield* unlinkFile(`${directory}/${ESTABLISHING_FILE}`)
  yield* syncDirectory(directory)
})

/** Whether a directory was left in the middle, and all of its new files are made: then {@link finish} ends the work. */
export const isPlacing = Effect.fnUntraced(function* (directory: string) {
  const names = yield* listDirectory(directory)
  return names.includes(ESTABLISHING_FILE) && (yield* readMarker(directory)).phase === "placing"
})

/** The names that hold no data: what an attempt that was not finished left, and the lock. */
export const isLeftover = (name: string): boolean =>
  name === LOCK_FILE ||
  // SQLite's own, beside the file that it locks.
  name === `${LOCK_FILE}-journal` ||
  name.startsWith(ESTABLISHING_FILE) ||
  PLACED.some((placed) => name.startsWith(`${placed}${NEW}`))

/** Ends the work of an attempt that was placing. */
export const finish = (directory: string): Effect.Effect<void, LogFailed | LogCorrupt> =>
  Effect.flatMap(readMarker(directory), ({ suffix }) => place(directory, suffix))

/** Makes the directory, durably when it returns. Hold its lock. Old data is kept under names that end in `suffix`. */
export const establish = Effect.fnUntraced(function* (directory: string, established: Established, suffix: string) {
  yield* makeDirectory(directory)
  yield* mark(directory, { phase: "making", suffix })
  yield* clear(directory)
  yield* makeNew(directory, established)
  yield* mark(directory, { phase: "placing", suffix })
  yield* place(directory, suffix)
})

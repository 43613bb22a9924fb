/**
 * Loads the state in a data directory on which no node runs, and changes nothing. The state is that of the newest intact
 * snapshot and of the whole log after it: which of the last entries were committed, one directory cannot tell.
 */
import { Effect, Result, type Scope, Stream } from "effect"
import { readIdentity } from "../EventStore/Directory.ts"
import { type DirectoryInUse, LOCK_FILE, lockDirectory } from "../EventStore/DirectoryLock.ts"
import { listDirectory } from "../EventStore/Files.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { termAt } from "../EventStore/LogIndex.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { filesIn } from "../EventStore/NamedFiles.ts"
import { type OfflineLog, openOfflineLog } from "../EventStore/OfflineLog.ts"
import { parseSnapshotName, type SnapshotInfo } from "../EventStore/SnapshotFormat.ts"
import { content, verify } from "../EventStore/SnapshotReader.ts"
import type { SnapshotDamaged } from "../EventStore/SnapshotStore.ts"
import { BackupRefused } from "./BackupRefused.ts"
import { type Point, replaying, type StateAt } from "./Replay.ts"

const pageMaxBytes = 1024 * 1024

/** A directory of a stopped node. The lock is held as long as the scope. */
export interface OpenDirectory {
  readonly directory: string
  readonly nodeId: string
  readonly clusterId: string
  readonly log: OfflineLog
  readonly lastIndex: number
  readonly lastTerm: number
  /** The snapshots that the log reaches back to, newest first, with what is wrong with those that are damaged. */
  readonly snapshots: ReadonlyArray<
    { readonly name: string } & (
      | { readonly info: SnapshotInfo; readonly damage?: undefined }
      | { readonly info?: undefined; readonly damage: string }
    )
  >
}

/** Why a directory cannot be read. */
export type DirectoryUnreadable = LogFailed | LogCorrupt | DirectoryInUse | BackupRefused

const snapshotsOf = Effect.fnUntraced(function* (directory: string) {
  const files = filesIn(directory)
  const names = (yield* files.names).filter((name) => parseSnapshotName(name) !== undefined).sort()
  return yield* Effect.forEach(names.reverse(), (name) =>
    Effect.scoped(
      Effect.map(Effect.flatMap(files.openToRead(name), verify), (verdict) =>
        verdict._tag === "Intact"
          ? { name, info: verdict.info }
          : { name, damage: `${verdict.what} at offset ${verdict.offset}` }
      )
    )
  )
})

/**
 * The last entry, as a start would have it: a node that ended between the arrival of a leader's snapshot and its note in
 * the log begins behind the snapshot, which replaces the whole log.
 */
const lastOf = ({ held }: OfflineLog, snapshots: OpenDirectory["snapshots"]) => {
  const newest = snapshots.flatMap(({ info }) => info ?? [])[0]
  const isBehind =
    newest !== undefined && newest.index >= held.firstIndex - 1 && termAt(held, newest.index) !== newest.term
  return isBehind
    ? { lastIndex: newest.index, lastTerm: newest.term }
    : { lastIndex: held.lastIndex, lastTerm: termAt(held, held.lastIndex) ?? 0 }
}

/** Opens the directory of a stopped node, reads its whole log and verifies its snapshots. */
export const openDirectory = Effect.fnUntraced(function* (
  directory: string,
  { isToChange = false }: { readonly isToChange?: boolean } = {}
): Effect.fn.Return<OpenDirectory, DirectoryUnreadable, Scope.Scope> {
  const names = yield* listDirectory(directory)
  if (!names.includes("node.json")) {
    return yield* new BackupRefused({ message: `"${directory}" is no data directory: it has no "node.json"` })
  }
  if (isToChange || names.includes(LOCK_FILE)) yield* lockDirectory(directory)
  const { clusterId, nodeId } = yield* readIdentity(directory)
  if (clusterId === null) {
    return yield* new BackupRefused({
      message: `The node in "${directory}" has not formed a cluster yet: it has no data`
    })
  }
  const log = yield* openOfflineLog({ directory: `${directory}/log`, clusterId })
  const snapshots = names.includes("snapshots") ? yield* snapshotsOf(`${directory}/snapshots`) : []
  return { directory, nodeId, clusterId, log, ...lastOf(log, snapshots), snapshots }
})

/** The newest intact snapshot that the log goes on from; undefined if the log is whole from its first entry. */
const baseOf = Effect.fnUntraced(function* ({ directory, lastIndex, log, snapshots }: OpenDirectory) {
  const { firstIndex } = log.held
  const intact = snapshots.flatMap(({ info }) => info ?? [])
  const base = intact.find(({ index }) => index >= firstIndex - 1 && index <= lastIndex)
  if (base !== undefined || firstIndex === 1) return base
  return yield* new BackupRefused({
    message: `The log in "${directory}" begins after entry ${firstIndex - 1}, and no intact snapshot stands for what came before`
  })
})

/** The state at the end of the directory's log, or at a point after its newest snapshot. */
export const loadDirectory = Effect.fnUntraced(function* (
  opened: OpenDirectory,
  options: { readonly point?: Point; readonly onEntry?: (entry: LogEntry) => void } = {}
): Effect.fn.Return<StateAt, DirectoryUnreadable | SnapshotDamaged> {
  const { directory, log } = opened
  const base = yield* baseOf(opened)
  const replay = replaying({
    from: base ?? { index: 0, term: 0 },
    hasSnapshot: base !== undefined,
    ...options
  })
  if (base !== undefined) {
    const name = opened.snapshots.find(({ info }) => info === base)?.name ?? ""
    const readAt = filesIn(`${directory}/snapshots`).openToRead(name)
    yield* Effect.scoped(
      Effect.flatMap(readAt, (read) =>
        Stream.runForEach(content(name, read), (bytes) => Effect.sync(() => replay.snapshot(bytes)))
      )
    )
  }
  let nextIndex = (base?.index ?? 0) + 1
  while (nextIndex <= opened.lastIndex) {
    const entries = yield* log.read({ fromIndex: nextIndex, toIndex: opened.lastIndex, maxBytes: pageMaxBytes })
    if (entries.length === 0) break
    replay.entries(entries)
    nextIndex += entries.length
  }
  const ended = replay.end()
  if (Result.isFailure(ended)) {
    return yield* new BackupRefused({ message: `Cannot read the state in "${directory}": ${ended.failure}` })
  }
  return ended.success
})

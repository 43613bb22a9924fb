/**
 * Makes a new cluster of one from the data of a former one: from an archive (restore), or from the directory of one of
 * its nodes (recover). Its log begins at a base above all that the former cluster may have written (Base.ts). It keeps
 * the ids of the clusters that it takes the place of, whose nodes it tells to stop when they meet.
 */
import { randomUUID } from "node:crypto"
import { Clock, Effect, Random, Result, type Scope } from "effect"
import { blankedEntry } from "../Cluster/Feed.ts"
import type { ArchiveDamaged } from "../EventStore/ArchiveFile.ts"
import { FILE, readIdentity } from "../EventStore/Directory.ts"
import { type DirectoryInUse, lockDirectory } from "../EventStore/DirectoryLock.ts"
import { establish, finish, isLeftover, isPlacing } from "../EventStore/Establish.ts"
import { listDirectory, makeDirectory } from "../EventStore/Files.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { isMarked } from "../EventStore/RepairMark.ts"
import type { SnapshotDamaged } from "../EventStore/SnapshotStore.ts"
import * as Erasure from "../Machine/Erasure.ts"
import { raisedTo } from "../Machine/evolve.ts"
import * as Format from "../Machine/Format.ts"
import * as Snapshot from "../Machine/Snapshot.ts"
import * as Tables from "../Machine/Tables.ts"
import { encodeConfiguration } from "../Raft/core/ConfigurationCodec.ts"
import { applyErasures, type ListedErasure } from "./ApplyErasures.ts"
import * as ArchivedHistory from "./ArchivedHistory.ts"
import { BackupRefused } from "./BackupRefused.ts"
import { baseAfter } from "./Base.ts"
import * as FormerHistory from "./FormerHistory.ts"
import type { StoreFailed } from "./ObjectStore.ts"
import { type Archive, type LoadedArchive, loadArchives } from "./ReadArchive.ts"
import { loadDirectory, openDirectory } from "./ReadDirectory.ts"
import type { Kept } from "./RecordEntries.ts"
import type { Point, StateAt } from "./Replay.ts"

/** The clusters that a state remembers to have taken the place of. Older ones are long gone. */
const formerMaxCount = 64

/** A new cluster of one. */
export interface NewCluster {
  readonly clusterId: string
  readonly nodeId: string
  readonly formerClusterId: string
  /** The entry whose state it has. */
  readonly index: number
  readonly timeMs: number
  readonly stateHash: string
  /** Its log begins behind this index, and every next version of a record is above it. */
  readonly base: number
  /** Whether its history has all entries of the former log; otherwise it begins with each record as created. */
  readonly isHistoryWhole: boolean
  /** The state from which on the history of records is there, if archives held it, and not from the first entry on. */
  readonly historySince: { readonly index: number; readonly timeMs: number } | undefined
  /** The records that were erased from the state, since the former cluster erased them later. */
  readonly erased: ReadonlyArray<Erasure.Named>
}

/** Why there is no new cluster. */
export type RestoreFailure =
  | LogFailed
  | LogCorrupt
  | ArchiveDamaged
  | StoreFailed
  | SnapshotDamaged
  | DirectoryInUse
  | BackupRefused

/** What to restore: a state, and archives of entries that go on from it. */
export interface RestoreSource {
  readonly archives: ReadonlyArray<Archive>
  /** The last entry of the former log that anybody knows, if that may be a later one than the archives hold. */
  readonly last?: { readonly index: number; readonly timeMs: number }
  /**
   * Archives that lead to the newest state that is known, if these do not: what it says is erased goes from the restored
   * state and its history, too.
   */
  readonly newest?: ReadonlyArray<Archive>
  /** Whether the new cluster does without what the archives hold of the time before their last state. */
  readonly isStateOnly?: boolean
}

interface From {
  readonly state: StateAt
  readonly formerClusterId: string
  /** The last entry of the former log that is known, which may come after the state's. */
  readonly last: { readonly index: number; readonly term: number; readonly timeMs: number }
  /** All entries of the former log through the state's. Without them its first state stands for them. */
  readonly history: Kept | undefined
  /** What archives that begin with a state held: it goes beside the first state. */
  readonly archived?: { readonly archives: ReadonlyArray<Archive>; readonly first: StateAt } | undefined
  /** Erasures that the former cluster decided, of which the state may know some. */
  readonly erasures?: ReadonlyArray<ListedErasure> | undefined
}

const begin = Effect.fnUntraced(function* (
  directory: string,
  { archived, erasures = [], formerClusterId, history: whole, last, state }: From,
  self: { readonly nodeId: string; readonly address: string }
): Effect.fn.Return<NewCluster, LogFailed | LogCorrupt | BackupRefused, Scope.Scope> {
  const nowMs = yield* Clock.currentTimeMillis
  const found = baseAfter({ lastIndex: last.index, lastTimeMs: last.timeMs, nowMs, random: yield* Random.next })
  if (Result.isFailure(found)) {
    return yield* new BackupRefused({ message: `Cannot begin a new cluster: ${found.failure}` })
  }
  const base = found.success
  const { tables } = state
  const erased = applyErasures(tables, erasures)
  const formerClusterIds = [...new Set([formerClusterId, ...(tables.restored?.formerClusterIds ?? [])])]
  const term = last.term + 1
  const known = Erasure.erasuresOf(tables)
  const former = whole ?? FormerHistory.firstState(tables, { base, term })
  const beside =
    archived === undefined
      ? undefined
      : yield* ArchivedHistory.ofArchives(archived.archives, archived.first, {
          throughIndex: state.index,
          // The index between them is the place before the first state.
          lastIndex: former.fromIndex - 2,
          term,
          erasures: known,
          retainedFrom: tables.retainedFrom
        })
  const blank = (entry: LogEntry) => blankedEntry(entry, known)
  const raised = raisedTo(tables, beside === undefined ? Format.restoring : Format.archiving)
  const began = Tables.beginningAnew(raised, {
    index: base,
    format: raised.format,
    restored: {
      versionFloor: base,
      formerClusterIds: formerClusterIds.slice(0, formerMaxCount),
      history: {
        firstIndex: former.fromIndex,
        lastIndex: former.toIndex,
        ...(beside === undefined ? {} : { archived: beside.archived })
      }
    }
  })
  const clusterId = randomUUID()
  const instanceId = randomUUID()
  const { address, nodeId } = self
  const configuration = encodeConfiguration({ voters: [{ id: nodeId, address, instanceId }], learners: [] })
  yield* establish(
    directory,
    {
      identity: { formatVersion: 1, clusterId, nodeId, instanceId },
      index: base,
      term,
      configuration,
      content: Snapshot.encode(Snapshot.take(began)),
      history: [...(beside?.kept ?? []), former].map((kept) => FormerHistory.blanked(kept, blank))
    },
    `.before-${base}`
  )
  return {
    clusterId,
    nodeId,
    formerClusterId,
    index: state.index,
    timeMs: tables.lastTimeMs,
    stateHash: Tables.stateHash(tables),
    base,
    isHistoryWhole: whole !== undefined,
    historySince:
      archived === undefined ? undefined : { index: archived.first.index, timeMs: archived.first.tables.lastTimeMs },
    erased
  }
})

/** Ends what an attempt before has begun, if all of its files are made. */
const finished = Effect.fnUntraced(function* (directory: string) {
  if (!(yield* isPlacing(directory))) return
  yield* finish(directory)
  const { clusterId, nodeId } = yield* readIdentity(directory)
  return yield* new BackupRefused({
    message: `An earlier attempt is finished now: "${directory}" holds node ${nodeId} of cluster ${clusterId}. Start it`
  })
})

/** Restores archives into an empty directory. */
export const restore = Effect.fnUntraced(function* (options: {
  readonly source: RestoreSource
  readonly directory: string
  readonly address: string
  /** The address by default. */
  readonly nodeId?: string
  /** The last entry by default. */
  readonly point?: Point | undefined
  /** Erasures of the former cluster, which may have come after the archive. */
  readonly erasures?: ReadonlyArray<ListedErasure> | undefined
}): Effect.fn.Return<NewCluster, RestoreFailure, Scope.Scope> {
  const { address, directory, erasures = [], nodeId = address, point, source } = options
  const { archives, isStateOnly = false, newest = [] } = source
  const erasedSince = newest.length === 0 ? [] : listErasures(yield* loadArchives(newest))
  const { begins, first: firstStateAt, manifest, state } = yield* loadArchives(archives, { point })
  const [first] = archives
  if (state === undefined || first === undefined) {
    return yield* new BackupRefused({ message: `"${first?.name}" holds entries alone, and no state to begin with` })
  }
  yield* makeDirectory(directory)
  yield* lockDirectory(directory)
  yield* finished(directory)
  const held = (yield* listDirectory(directory)).find((name) => !isLeftover(name))
  if (held !== undefined) {
    return yield* new BackupRefused({
      message: `"${directory}" is not empty: it holds "${held}". Restore into an empty one`
    })
  }
  const { clusterId } = manifest
  const last = {
    term: manifest.last.term,
    index: Math.max(manifest.last.index, source.last?.index ?? 0),
    timeMs: Math.max(manifest.last.timeMs, source.last?.timeMs ?? 0)
  }
  const isWhole = begins.snapshot === null && begins.previous.index === 0
  const range = { fromIndex: 1, toIndex: state.index }
  const history = isWhole && !isStateOnly ? yield* FormerHistory.ofArchives(archives, range) : undefined
  const archived = firstStateAt === undefined || isStateOnly ? undefined : { archives, first: firstStateAt }
  return yield* begin(
    directory,
    { state, formerClusterId: clusterId, last, history, archived, erasures: [...erasures, ...erasedSince] },
    { nodeId, address }
  )
}, Effect.scoped)

/** The erasures that the state of archives knows. */
const listErasures = ({ state }: LoadedArchive): ReadonlyArray<ListedErasure> => {
  if (state === undefined) return []
  const { erasedOf } = Erasure.erasuresOf(state.tables)
  return [...state.tables.byModel.keys()].flatMap((model) =>
    Array.from(erasedOf(model), ([id, index]) => ({ model, id, index }))
  )
}

/** What one directory of a former cluster holds. */
export interface Surveyed {
  readonly directory: string
  readonly nodeId: string
  readonly clusterId: string
  readonly lastIndex: number
  readonly lastTerm: number
  /** The log has lost entries to damage, and peers have not given them back: what is left is no measure of what it held. */
  readonly isRepairing: boolean
}

/** Looks at one directory. */
export const survey = Effect.fnUntraced(function* (directory: string) {
  const { clusterId, lastIndex, lastTerm, nodeId } = yield* openDirectory(directory)
  const isRepairing = yield* isMarked(directory)
  return { directory, nodeId, clusterId, lastIndex, lastTerm, isRepairing } satisfies Surveyed
}, Effect.scoped)

/**
 * The directory that holds most: the last term decides, then the last index (Raft §5.4.1). One whose log has lost entries
 * counts only where all have. Undefined if there is none.
 */
export const bestOf = (surveyed: ReadonlyArray<Surveyed>): Surveyed | undefined =>
  surveyed.reduce<Surveyed | undefined>((best, each) => {
    if (best === undefined) return each
    if (each.isRepairing !== best.isRepairing) return each.isRepairing ? best : each
    const isBetter =
      each.lastTerm > best.lastTerm || (each.lastTerm === best.lastTerm && each.lastIndex > best.lastIndex)
    return isBetter ? each : best
  }, undefined)

/** Makes a new cluster of one in the directory of a former member, with its whole log counted as committed. */
export const recover = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly address: string
  /** The last entry, as the survey told. Entries after it, which other nodes may have, are lost. */
  readonly acceptLossAfter: { readonly term: number; readonly index: number }
}): Effect.fn.Return<NewCluster, RestoreFailure, Scope.Scope> {
  const { acceptLossAfter, address, directory } = options
  const names = yield* listDirectory(directory)
  if (!names.includes(FILE) || (yield* isPlacing(directory))) {
    yield* lockDirectory(directory)
    yield* finished(directory)
  }
  const opened = yield* openDirectory(directory, { isToChange: true })
  const { clusterId, lastIndex, lastTerm, nodeId } = opened
  if (lastIndex !== acceptLossAfter.index || lastTerm !== acceptLossAfter.term) {
    return yield* new BackupRefused({
      message: `The log in "${directory}" ends at ${lastTerm}.${lastIndex}, and not at ${acceptLossAfter.term}.${acceptLossAfter.index}: run "lithair recover --survey" again`
    })
  }
  const state = yield* loadDirectory(opened)
  const last = { index: lastIndex, term: lastTerm, timeMs: state.tables.lastTimeMs }
  const history = yield* FormerHistory.ofDirectory(opened)
  return yield* begin(directory, { state, formerClusterId: clusterId, last, history }, { nodeId, address })
}, Effect.scoped)

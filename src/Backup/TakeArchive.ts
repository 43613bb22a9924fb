/**
 * Takes an archive of a running member: the applied state at this moment, as a copy-on-write clone that no write waits
 * for; or a snapshot on the node's disk with the entries from there to this moment, for restores to a point in time.
 */
import { Clock, Data, Effect, type Scope, Stream } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { ARCHIVE_FRAME_BYTES, makeArchiveEncoder } from "../EventStore/ArchiveFormat.ts"
import { type LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { rests } from "../EventStore/Pace.ts"
import type { SnapshotDamaged } from "../EventStore/SnapshotStore.ts"
import { rechunk } from "../EventStore/Snapshots.ts"
import { invariant } from "../Invariant.ts"
import { lastErasure } from "../Machine/Erasure.ts"
import * as Snapshot from "../Machine/Snapshot.ts"
import * as StateElements from "../Machine/StateElements.ts"
import * as Tables from "../Machine/Tables.ts"
import { termAt } from "../Raft/core/RaftLog.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import { encodeManifest, type Manifest } from "./Manifest.ts"

/** This node does not hold the entries from there on. It could go back to `oldestIndex`. */
export class HistoryGone extends Data.TaggedError("HistoryGone")<{ readonly oldestIndex: number }> {}

/** The member has no state that it may show: it has not formed a cluster, or is rebuilding its state. */
export class NotReady extends Data.TaggedError("NotReady")<{ readonly message: string }> {}

/** An archive on its way. The scope keeps what it is made of. */
export interface TakenArchive {
  readonly manifest: Manifest
  readonly bytes: Stream.Stream<Uint8Array, LogFailed | LogCorrupt | SnapshotDamaged>
}

/** The parts of a member that an archive is taken from. */
export type Archivable = Pick<Member["Service"], "clusterId" | "feed" | "node" | "self" | "snapshots" | "tables">

/** What follows the manifest. */
interface Content {
  readonly snapshot: Manifest["snapshot"]
  readonly previous: Manifest["previous"]
  readonly pieces: Stream.Stream<Uint8Array, LogFailed | SnapshotDamaged>
  /** The first entry to add, if there are any. */
  readonly fromIndex: number
}

/** The snapshot at or below `after`, or the beginning of the log. */
const contentSince = Effect.fnUntraced(function* (
  snapshots: NonNullable<ReturnType<Archivable["snapshots"]>>,
  options: { readonly after: number; readonly oldestIndex: number }
): Effect.fn.Return<Content, LogFailed | HistoryGone, Scope.Scope> {
  const { after, oldestIndex } = options
  const found = yield* snapshots.openNewest({ atLeastIndex: oldestIndex - 1, atMostIndex: after })
  if (found !== undefined) {
    const { index, term } = found.info
    const snapshot = { index, term }
    return { snapshot, previous: snapshot, pieces: found.content, fromIndex: index + 1 }
  }
  if (oldestIndex === 1) {
    return { snapshot: null, previous: { index: 0, term: 0 }, pieces: Stream.empty, fromIndex: 1 }
  }
  const kept = yield* snapshots.list
  const oldest = kept.filter(({ index }) => index >= oldestIndex - 1).at(-1)
  return yield* Effect.fail(new HistoryGone({ oldestIndex: oldest?.index ?? oldestIndex }))
})

/** What an archive is to hold beside the newest state. */
export interface Taking {
  /** The archive can be restored to any entry from this one on. */
  readonly after?: number | undefined
  /** It holds the entries after this one alone, and no state, to go on from an archive that reaches it. */
  readonly entriesAfter?: number | undefined
}

/** Begins an archive of what is applied now. */
export const takeArchive = Effect.fnUntraced(function* (
  member: Archivable,
  { after, entriesAfter }: Taking = {}
): Effect.fn.Return<TakenArchive, LogFailed | HistoryGone | NotReady, Scope.Scope> {
  const node = member.node()
  const snapshots = member.snapshots()
  const clusterId = member.clusterId()
  if (node === undefined || snapshots === undefined || clusterId === undefined) {
    return yield* Effect.fail(new NotReady({ message: "This node has not formed a cluster yet" }))
  }
  if (node.states.isSuspect()) {
    return yield* Effect.fail(
      new NotReady({ message: "This node's state differs from a majority's: it is rebuilding it" })
    )
  }
  // A snapshot of the leader has replaced the tables, and the node is about to say so.
  if (member.tables.index > node.appliedIndex()) {
    return yield* Effect.fail(new NotReady({ message: "This node is restoring a snapshot of its leader" }))
  }
  // All of one moment.
  const tables = Tables.clone(member.tables)
  const index = node.appliedIndex()
  const last = { index, term: termAt(node.core.log, index) ?? 0 }
  const members = membersStatus(node.core).map(({ address, id, isVoter }) => ({ id, address, voter: isVoter }))
  // What a restore keeps below the base is history, and no entry to go back to.
  const oldestIndex = Math.max(member.feed.oldestIndex(), (tables.restored?.versionFloor ?? 0) + 1)

  if (entriesAfter !== undefined && entriesAfter < oldestIndex - 1) {
    return yield* Effect.fail(new HistoryGone({ oldestIndex }))
  }
  const content: Content =
    entriesAfter !== undefined
      ? {
          snapshot: null,
          previous: { index: entriesAfter, term: termAt(node.core.log, entriesAfter) ?? 0 },
          pieces: Stream.empty,
          fromIndex: entriesAfter + 1
        }
      : after === undefined || after >= index
        ? {
            snapshot: last,
            previous: last,
            pieces: Stream.fromIterable(rechunk(Snapshot.encode(Snapshot.take(tables)), ARCHIVE_FRAME_BYTES), {
              chunkSize: 1
            }),
            fromIndex: index + 1
          }
        : yield* contentSince(snapshots, { after, oldestIndex })
  const manifest: Manifest = {
    clusterId,
    formerClusterIds: tables.restored?.formerClusterIds ?? [],
    nodeId: member.self.nodeId,
    takenAtMs: yield* Clock.currentTimeMillis,
    snapshot: content.snapshot,
    previous: content.previous,
    last: { ...last, timeMs: tables.lastTimeMs },
    stateHash: Tables.stateHash(tables),
    stateHashDefinition: StateElements.definition,
    members,
    models: Array.from(tables.byModel, ([name, { modelVersion, rows }]) => {
      return { name, version: modelVersion, records: rows.size }
    }).filter(({ version }) => version > 0)
  }
  const erasedThrough = lastErasure(tables)
  const readAlike = (range: Parameters<Archivable["feed"]["readEncoded"]>[0]) =>
    Effect.tap(member.feed.readEncoded(range), () =>
      lastErasure(member.tables) === erasedThrough ? Effect.void : Effect.fail(overtaken)
    )
  return { manifest, bytes: bytesOf(manifest, content, readAlike) }
})

/** Entries without data that was erased after the archive's state do not lead to that state. */
const overtaken = new LogFailed({ message: "The archive cannot be made: a record was erased meanwhile. Take it again" })

/** Rests after each frame, so that requests and the log's own writes come between. */
const bytesOf = (
  manifest: Manifest,
  { fromIndex, pieces }: Content,
  read: Archivable["feed"]["readEncoded"]
): TakenArchive["bytes"] =>
  Stream.unwrap(
    Effect.map(rests, (rest) => {
      const encoder = makeArchiveEncoder()
      const toIndex = manifest.last.index
      const entries = Stream.unfold(
        fromIndex,
        Effect.fnUntraced(function* (next) {
          if (next > toIndex) return undefined
          const page = (yield* read({ fromIndex: next, maxBytes: ARCHIVE_FRAME_BYTES })).filter(
            ({ index }) => index <= toIndex
          )
          invariant(page.length > 0, `entry ${next} is applied and was not read`)
          return [encoder.entries(page), next + page.length] as const
        })
      )
      return Stream.suspend(() => Stream.succeed(encoder.begin(encodeManifest(manifest)))).pipe(
        Stream.concat(Stream.map(pieces, encoder.snapshot)),
        Stream.concat(entries),
        Stream.tap(() => rest),
        Stream.concat(Stream.suspend(() => Stream.succeed(encoder.end())))
      )
    })
  )

/**
 * Snapshots of the node's own log. A node takes one in the background, from a clone, once the log has grown past a
 * bound. The snapshot then replaces the log below it, whose entries move into the history. The cluster's snapshots are
 * apart. Raft §7.
 */
import { Effect, FiberHandle, Result, type Scope, Semaphore, Stream } from "effect"
import { LogSpace } from "../EventStore/LogSpace.ts"
import { LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import * as Snapshot from "../Machine/Snapshot.ts"
import * as Tables from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

/**
 * The payload applied since the last snapshot after which another is taken, if it is also more than that snapshot's
 * size.
 */
export const snapshotAfterBytesDefault = 8 * 1024 * 1024

/** The pause before another try to discard entries. */
const retryMs = 50

/** The node's own log has no members, and so no configuration. */
const noConfiguration = new Uint8Array(0)

const corrupt = (what: string, index: number) =>
  new LogCorrupt({ message: `Cannot restore the node's own data: ${what}`, file: "local-snapshots", offset: 0, index })

/** The tables of the newest snapshot; undefined if there is none, and the log begins with its first entry. */
export const restoreNewest = (
  models: ReadonlyArray<Descriptor>
): Effect.Effect<Tables.Tables | undefined, LogFailed | LogCorrupt, LogStore | SnapshotStore> =>
  Effect.gen(function* () {
    const { recovered } = yield* LogStore
    const atLeastIndex = recovered.firstIndex - 1
    const newest = yield* (yield* SnapshotStore).openNewest({ atLeastIndex })
    if (newest === undefined) {
      if (atLeastIndex === 0) return undefined
      return yield* corrupt("no intact snapshot stands for what its log begins behind", atLeastIndex)
    }
    const restoring = Snapshot.restoring(models, { isOfNode: true })
    yield* Stream.runForEach(newest.content, (bytes) => Effect.sync(() => restoring.take(bytes))).pipe(
      Effect.catchTag("SnapshotDamaged", ({ message }) => Effect.fail(corrupt(message, newest.info.index)))
    )
    const ended = restoring.end()
    return Result.isFailure(ended) ? yield* corrupt(ended.failure, newest.info.index) : ended.success
  }).pipe(Effect.scoped)

export interface LocalSnapshots {
  /** Notes applied payload, and takes a snapshot if one is due. */
  readonly onApplied: (payloadBytes: number) => void
  /**
   * Takes a snapshot of the state as it is, and has the log hold no entry from before: the history keeps them. Returns
   * the snapshot's index; 0 if the log never had an entry.
   */
  readonly discard: Effect.Effect<number, LogFailed | LogCorrupt>
}

export const make = Effect.fnUntraced(function* (options: {
  readonly tables: () => Tables.Tables
  /** The term of all entries. */
  readonly term: number
  readonly snapshotAfterBytes?: number
}): Effect.fn.Return<LocalSnapshots, never, LogStore | LogSpace | SnapshotStore | Scope.Scope> {
  const { snapshotAfterBytes = snapshotAfterBytesDefault, tables, term } = options
  const store = yield* LogStore
  const space = yield* LogSpace
  const snapshots = yield* SnapshotStore
  const underWay = yield* FiberHandle.make<void>()
  const run = yield* FiberHandle.runtime(underWay)<never>()
  let appliedBytes = 0
  let snapshotBytes = 0

  const oneAtATime = yield* Semaphore.make(1)
  const takeNow = Effect.gen(function* () {
    const clone = Tables.clone(tables())
    const { index } = clone
    appliedBytes = 0
    const content = Snapshot.contentOf(clone)
    const { contentBytes } = yield* snapshots.write({ index, term, configuration: noConfiguration, ...content })
    snapshotBytes = contentBytes
    yield* store.append([{ snapshot: { index, term }, entries: [] }])
    yield* space.compact({ throughIndex: index })
    return index
  }).pipe(oneAtATime.withPermits(1))

  const take = takeNow.pipe(
    Effect.asVoid,
    // The log still has all entries. The next attempt comes after as much payload again.
    Effect.catch((error) => Effect.logWarning("Cannot take a snapshot of the node's own data", error))
  )

  const discard = Effect.gen(function* () {
    for (;;) {
      const endIndex = yield* space.endSegment
      if (endIndex === 0) return 0
      const index = yield* takeNow
      if (space.firstIndex() > endIndex) return index
      // The last entries were written and not applied yet.
      yield* Effect.sleep(retryMs)
    }
  })

  return {
    discard,
    onApplied: (payloadBytes) => {
      appliedBytes += payloadBytes
      if (appliedBytes >= Math.max(snapshotAfterBytes, snapshotBytes)) run(take, { onlyIfMissing: true })
    }
  }
})

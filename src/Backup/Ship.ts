/** Puts archives of a member into a store, reads each back to prove it, and removes those that are not needed any more. */
import { Clock, Effect, type Scope, Stream } from "effect"
import { type ArchiveDamaged, archivePiecesIn } from "../EventStore/ArchiveFile.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { SnapshotDamaged } from "../EventStore/SnapshotStore.ts"
import type { ObjectStore, StoreFailed } from "./ObjectStore.ts"
import type { Archive } from "./ReadArchive.ts"
import { nameOf, ofNames, type Shipped, unneeded } from "./Shipped.ts"
import { type Archivable, type HistoryGone, type NotReady, takeArchive } from "./TakeArchive.ts"

/** Why an archive did not come into a store. */
export type ShipFailure = StoreFailed | LogFailed | LogCorrupt | SnapshotDamaged | ArchiveDamaged | NotReady

type Store = ObjectStore["Service"]

/** An object of a store as an archive to read. */
export const storedArchive = (store: Store, folder: string, shipped: Shipped): Archive => {
  const name = `${folder}/${nameOf(shipped)}`
  return { name, pieces: archivePiecesIn(name, store.get(name)) }
}

/** Writes an archive and reads it back. It is whole when this returns; otherwise nothing of it is there. */
export const putProven = Effect.fnUntraced(function* <E>(
  store: Store,
  folder: string,
  shipped: Shipped,
  bytes: Stream.Stream<Uint8Array, E>
) {
  const archive = storedArchive(store, folder, shipped)
  yield* store.put(archive.name, bytes)
  yield* Effect.onError(Stream.runDrain(archive.pieces), () => Effect.ignore(store.remove(archive.name)))
  return archive
})

/** The objects of a cluster. */
export const shippedOf = (store: Store, folder: string) => Effect.map(store.list(folder), ofNames)

/**
 * Writes what the member has applied: its state, or its entries after an index. It is whole, and was read back, when this
 * returns; otherwise nothing of it is there.
 */
export const ship = Effect.fnUntraced(function* (
  member: Archivable,
  store: Store,
  { entriesAfter }: { readonly entriesAfter?: number } = {}
): Effect.fn.Return<Shipped, ShipFailure | HistoryGone, Scope.Scope> {
  const { bytes, manifest } = yield* takeArchive(member, { entriesAfter })
  const { index, timeMs } = manifest.last
  const shipped: Shipped =
    entriesAfter === undefined
      ? { _tag: "Snapshot", index, timeMs }
      : { _tag: "Entries", afterIndex: entriesAfter, index, timeMs }
  yield* putProven(store, manifest.clusterId, shipped, bytes)
  return shipped
}, Effect.scoped)

/** Removes what is not needed to go back to any moment of the last `keepMs`. */
export const removeUnneeded = Effect.fnUntraced(function* (store: Store, folder: string, keepMs: number) {
  const removed = unneeded(yield* shippedOf(store, folder), (yield* Clock.currentTimeMillis) - keepMs)
  // Entries before the states that they go on from: a removal that is cut off leaves no entries without a state.
  for (const each of removed.toSorted((one, other) => one._tag.localeCompare(other._tag))) {
    yield* store.remove(`${folder}/${nameOf(each)}`)
  }
})

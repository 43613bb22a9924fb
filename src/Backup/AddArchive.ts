/** Adds the archive of a state, whose bytes come from a node, to a store: an operator's own backup among the scheduled ones. */
import { Effect, Pull, type Scope, Stream } from "effect"
import { ArchiveDamaged } from "../EventStore/ArchiveFile.ts"
import { beginArchiveScan, scanArchive } from "../EventStore/ArchiveFormat.ts"
import { BackupRefused } from "./BackupRefused.ts"
import { decodeManifest } from "./Manifest.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import type { Archive, ArchiveUnreadable } from "./ReadArchive.ts"
import { putProven, storedArchive } from "./Ship.ts"
import { nameOf, type Shipped } from "./Shipped.ts"

const refuse = (message: string) => new BackupRefused({ message })

/**
 * Writes an archive under the name that its manifest says. An object that has the name already stays, since it holds the
 * same state: bytes that are cut on their way do not take its place.
 */
export const addArchive = Effect.fnUntraced(function* <E>(
  store: ObjectStore["Service"],
  bytes: Stream.Stream<Uint8Array, E>
): Effect.fn.Return<Archive, E | ArchiveUnreadable | BackupRefused, Scope.Scope> {
  const pull = yield* Stream.toPull(bytes)
  const begun: Array<Uint8Array> = []
  let json: Uint8Array | undefined
  while (json === undefined) {
    const parts = yield* Pull.catchDone(pull, () =>
      Effect.fail(new ArchiveDamaged({ message: "The archive ends in its manifest", file: store.place, offset: 0 }))
    )
    begun.push(...parts)
    const piece = scanArchive(beginArchiveScan(), Buffer.concat(begun))
    if (piece._tag === "Manifest") json = piece.json
    else if (piece._tag !== "Short") return yield* refuse("These bytes are no archive")
  }
  const { clusterId, last } = yield* Effect.mapError(decodeManifest(json), refuse)
  const shipped: Shipped = { _tag: "Snapshot", index: last.index, timeMs: last.timeMs }
  if ((yield* store.list(clusterId)).includes(nameOf(shipped))) return storedArchive(store, clusterId, shipped)
  const whole = Stream.concat(Stream.fromIterable(begun), Stream.fromPull(Effect.succeed(pull)))
  return yield* putProven(store, clusterId, shipped, whole)
})

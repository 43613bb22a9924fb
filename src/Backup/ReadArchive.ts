/**
 * Loads the state in an archive, or in a state and the archives of entries that go on from it, and proves all of it:
 * frames, digests, order of entries, and the hash of the state at the end of each archive.
 */
import { Effect, Result, Stream } from "effect"
import { ArchiveDamaged, archivePieces } from "../EventStore/ArchiveFile.ts"
import type { ArchivePiece } from "../EventStore/ArchiveFormat.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import * as StateElements from "../Machine/StateElements.ts"
import { BackupRefused } from "./BackupRefused.ts"
import type { KeptDigest } from "./CheckEvidence.ts"
import { decodeManifest, type Manifest } from "./Manifest.ts"
import type { StoreFailed } from "./ObjectStore.ts"
import { type Point, type Replay, replaying, type StateAt } from "./Replay.ts"

/** An archive to read: its name for people, and its pieces, which may be read again. */
export interface Archive {
  readonly name: string
  readonly pieces: Stream.Stream<ArchivePiece, ArchiveUnreadable>
}

/** Why an archive cannot be read. */
export type ArchiveUnreadable = LogFailed | ArchiveDamaged | StoreFailed

/** The archive in a file. */
export const fileArchive = (path: string): Archive => ({ name: path, pieces: archivePieces(path) })

/** Archives whose every byte was proven. */
export interface LoadedArchive {
  /** That of the last archive. */
  readonly manifest: Manifest
  /** What the first archive begins with. */
  readonly begins: Pick<Manifest, "snapshot" | "previous">
  readonly digest: string
  readonly fileBytes: number
  readonly entriesCount: number
  /** The state at the point that was asked for, by default the last. Undefined if none was built, or if the archive holds entries alone. */
  readonly state: StateAt | undefined
  /** The state with which the archives begin; undefined if none was built, or if they begin with the first entry. */
  readonly first: StateAt | undefined
  /** Whether the hash in the manifest has this release's definition, so that it could be compared. */
  readonly isHashCompared: boolean
}

interface LoadOptions {
  /** False to prove the bytes and their order alone, in bounded memory. */
  readonly isStateBuilt?: boolean
  readonly point?: Point | undefined
  /** A digest that must be that of the chain at its index. */
  readonly kept?: KeptDigest | undefined
  readonly onEntry?: (entry: LogEntry) => void
}

/** Reads all of the archive in the file `path`. `point` must lie in it. */
export const loadArchive = (path: string, options: LoadOptions = {}) => loadArchives([fileArchive(path)], options)

/** Reads all of these archives, each of which goes on where the one before has come to, or earlier. `point` must lie in them. */
export const loadArchives = Effect.fnUntraced(function* (
  archives: ReadonlyArray<Archive>,
  { isStateBuilt = true, kept, onEntry, point }: LoadOptions = {}
): Effect.fn.Return<LoadedArchive, ArchiveUnreadable | BackupRefused> {
  let replay: Replay | undefined
  let begins: LoadedArchive["begins"] | undefined
  let clusterId: string | undefined
  let entriesCount = 0
  let lastIndex = 0
  let fileBytes = 0
  let isHashCompared = false
  let loaded: { readonly manifest: Manifest; readonly digest: string } | undefined

  for (const { name, pieces } of archives) {
    const refuse = (what: string) => new BackupRefused({ message: `Cannot read "${name}": ${what}` })
    const contradicts = (what: string) =>
      new ArchiveDamaged({ message: `"${name}" is wrong: ${what}`, file: name, offset: 0 })
    /** An archive that goes on may begin with entries that the one before it ends with. */
    const reachedIndex = begins === undefined ? -1 : lastIndex
    let manifest: Manifest | undefined
    let snapshotBytes = 0
    let digest: string | undefined

    yield* Stream.runForEach(pieces, (piece) =>
      Effect.gen(function* () {
        switch (piece._tag) {
          case "Manifest": {
            manifest = yield* Effect.mapError(decodeManifest(piece.json), (what) =>
              refuse(`this release does not know its manifest: ${what}`)
            )
            const { previous, snapshot } = manifest
            const from = snapshot ?? previous
            if (begins !== undefined) {
              if (snapshot !== null) return yield* contradicts("it holds a state, and entries were expected")
              if (manifest.clusterId !== clusterId) return yield* contradicts("it is one of another cluster")
              if (from.index > lastIndex)
                return yield* contradicts(`it goes on after entry ${from.index}, and not ${lastIndex}`)
              return
            }
            begins = { snapshot, previous }
            clusterId = manifest.clusterId
            lastIndex = from.index
            if (isStateBuilt && (snapshot !== null || previous.index === 0)) {
              replay = replaying({ from, hasSnapshot: snapshot !== null, point, kept, ...(onEntry ? { onEntry } : {}) })
            }
            return
          }
          case "Snapshot":
            snapshotBytes += piece.content.length
            replay?.snapshot(piece.content)
            return
          case "Entries": {
            const entries = piece.entries.filter(({ index }) => index > reachedIndex)
            entriesCount += entries.length
            for (const entry of entries) {
              if (entry.index !== lastIndex + 1) return yield* contradicts(`entry ${entry.index} follows ${lastIndex}`)
              lastIndex = entry.index
              if (replay === undefined) onEntry?.(entry)
            }
            replay?.entries(entries)
            return
          }
          case "End":
            digest = piece.digest
            fileBytes += piece.fileBytes
        }
      })
    )
    if (manifest === undefined || digest === undefined) return yield* refuse("it has no manifest")
    const { last, snapshot, stateHash, stateHashDefinition } = manifest
    if (snapshotBytes > 0 !== (snapshot !== null)) return yield* contradicts("its snapshot is missing")
    if (lastIndex !== last.index) {
      return yield* contradicts(`it ends at entry ${lastIndex}, and its manifest says ${last.index}`)
    }
    loaded = { manifest, digest }
    if (replay === undefined) continue
    const found = replay.hash()
    if (Result.isFailure(found)) return yield* refuse(found.failure)
    isHashCompared = stateHashDefinition === StateElements.definition
    if (isHashCompared && found.success !== stateHash) {
      return yield* contradicts(`its state has the hash ${found.success}, and its manifest says ${stateHash}`)
    }
  }

  if (loaded === undefined || begins === undefined) return yield* new BackupRefused({ message: "There is no archive" })
  const proven = { ...loaded, begins, fileBytes, entriesCount, isHashCompared }
  const refuse = (what: string) => new BackupRefused({ message: `Cannot read "${archives[0]?.name}": ${what}` })
  if (replay === undefined) {
    return point === undefined
      ? { ...proven, state: undefined, first: undefined }
      : yield* refuse("it holds entries alone, and no state")
  }
  const ended = replay.end()
  return Result.isFailure(ended)
    ? yield* refuse(ended.failure)
    : { ...proven, state: ended.success, first: replay.first() }
})

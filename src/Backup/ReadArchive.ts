/** Loads the state in an archive, and proves all of it: frames, digest, order of entries, and the hash of the state. */
import { Effect, Result, Stream } from "effect"
import { ArchiveDamaged, archivePieces } from "../EventStore/ArchiveFile.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import * as StateElements from "../Machine/StateElements.ts"
import { stateHash } from "../Machine/Tables.ts"
import { BackupRefused } from "./BackupRefused.ts"
import { decodeManifest, type Manifest } from "./Manifest.ts"
import { type Point, type Replay, replaying, type StateAt } from "./Replay.ts"

/** An archive whose every byte was proven. */
export interface LoadedArchive {
  readonly manifest: Manifest
  readonly digest: string
  readonly fileBytes: number
  readonly entriesCount: number
  /** The state at the point that was asked for, by default the last. Undefined if none was built, or if the archive holds entries alone. */
  readonly state: StateAt | undefined
  /** Whether the hash in the manifest has this release's definition, so that it could be compared. */
  readonly isHashCompared: boolean
}

/** Reads all of `path`. `point` must lie in it. */
export const loadArchive = Effect.fnUntraced(function* (
  path: string,
  options: {
    /** False to prove the bytes and their order alone, in bounded memory. */
    readonly isStateBuilt?: boolean
    readonly point?: Point | undefined
    readonly onEntry?: (entry: LogEntry) => void
  } = {}
): Effect.fn.Return<LoadedArchive, LogFailed | ArchiveDamaged | BackupRefused> {
  const { isStateBuilt = true, onEntry, point } = options
  const refuse = (what: string) => new BackupRefused({ message: `Cannot read "${path}": ${what}` })
  const contradicts = (what: string) =>
    new ArchiveDamaged({ message: `"${path}" is wrong: ${what}`, file: path, offset: 0 })
  let manifest: Manifest | undefined
  let replay: Replay | undefined
  let snapshotBytes = 0
  let entriesCount = 0
  let lastIndex = 0
  let end: { readonly digest: string; readonly fileBytes: number } | undefined

  yield* Stream.runForEach(archivePieces(path), (piece) =>
    Effect.gen(function* () {
      switch (piece._tag) {
        case "Manifest": {
          manifest = yield* Effect.mapError(decodeManifest(piece.json), (what) =>
            refuse(`this release does not know its manifest: ${what}`)
          )
          const { previous, snapshot } = manifest
          lastIndex = (snapshot ?? previous).index
          const isWhole = snapshot !== null || previous.index === 0
          if (isWhole && isStateBuilt) {
            const from = snapshot ?? previous
            replay = replaying({ from, hasSnapshot: snapshot !== null, point, ...(onEntry ? { onEntry } : {}) })
          }
          return
        }
        case "Snapshot":
          snapshotBytes += piece.content.length
          replay?.snapshot(piece.content)
          return
        case "Entries":
          entriesCount += piece.entries.length
          for (const entry of piece.entries) {
            if (entry.index !== lastIndex + 1) return yield* contradicts(`entry ${entry.index} follows ${lastIndex}`)
            lastIndex = entry.index
            if (replay === undefined) onEntry?.(entry)
          }
          replay?.entries(piece.entries)
          return
        case "End":
          end = piece
      }
    })
  )
  if (manifest === undefined || end === undefined) return yield* refuse("it has no manifest")
  if (snapshotBytes > 0 !== (manifest.snapshot !== null)) return yield* contradicts("its snapshot is missing")
  if (lastIndex !== manifest.last.index) {
    return yield* contradicts(`it ends at entry ${lastIndex}, and its manifest says ${manifest.last.index}`)
  }
  const proven = { manifest, digest: end.digest, fileBytes: end.fileBytes, entriesCount }
  if (replay === undefined) {
    if (point !== undefined) return yield* refuse("it holds entries alone, and no state")
    return { ...proven, state: undefined, isHashCompared: false }
  }
  const ended = replay.end()
  if (Result.isFailure(ended)) return yield* refuse(ended.failure)
  const { atPoint, last } = ended.success
  const isHashCompared = manifest.stateHashDefinition === StateElements.definition
  const found = stateHash(last.tables)
  if (isHashCompared && found !== manifest.stateHash) {
    return yield* contradicts(`its state has the hash ${found}, and its manifest says ${manifest.stateHash}`)
  }
  return { ...proven, state: atPoint, isHashCompared }
})

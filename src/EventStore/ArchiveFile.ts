/**
 * A backup archive as a file: written piece by piece under a temporary name, whole once it has its own; read piece by
 * piece, in bounded memory. The bytes are ArchiveFormat.ts.
 */
import { Effect, Schema, type Scope, Stream } from "effect"
import { type ArchivePiece, type ArchiveScan, beginArchiveScan, scanArchive } from "./ArchiveFormat.ts"
import { closeFile, openFile, readAt, renameFile, syncDirectory, syncFile, unlinkFile, writeAll } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"
import type { ReadAt } from "./NamedFiles.ts"

const READ_BYTES = 128 * 1024
const SYNCED_AT_ONCE_BYTES = 16 * 1024 * 1024

/** Bytes that are not those of a whole, intact archive. Everything before `offset` is intact. */
export class ArchiveDamaged extends Schema.TaggedError<ArchiveDamaged>()("ArchiveDamaged", {
  message: Schema.String,
  file: Schema.String,
  offset: Schema.Int
}) {}

const next = Effect.fnUntraced(function* (file: string, scan: ArchiveScan, read: ReadAt) {
  const failed = (what: string) =>
    new ArchiveDamaged({
      message: `Cannot read archive "${file}" at offset ${scan.offset}: ${what}`,
      file,
      offset: scan.offset
    })
  let neededBytes = READ_BYTES
  for (;;) {
    const bytes = yield* read({ offset: scan.offset, lengthBytes: neededBytes })
    const piece = scanArchive(scan, bytes)
    if (piece._tag === "Damaged") return yield* failed(piece.what)
    if (piece._tag === "Short") {
      if (bytes.length < neededBytes) return yield* failed("the file ends here")
      neededBytes = piece.neededBytes
      continue
    }
    if (piece._tag !== "End") return piece
    const rest = yield* read({ offset: piece.fileBytes, lengthBytes: 1 })
    return rest.length === 0 ? piece : yield* failed("bytes follow the end")
  }
})

/** Opens an archive to read it. The scope closes it. */
export const openArchive = (path: string): Effect.Effect<ReadAt, LogFailed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(openFile(path, "r"), (file) => Effect.orDie(closeFile(file))),
    (file): ReadAt =>
      (range) =>
        readAt(file, range)
  )

/**
 * The pieces of an archive, in order: the last is its end, by which all bytes before are proven. A caller must not act
 * on a piece before it has the end.
 */
export const archivePieces = (path: string): Stream.Stream<ArchivePiece, LogFailed | ArchiveDamaged> =>
  Stream.unwrap(
    Effect.map(openArchive(path), (read) =>
      Stream.unfold(
        { scan: beginArchiveScan(), isOver: false },
        Effect.fnUntraced(function* ({ isOver, scan }) {
          if (isOver) return undefined
          const piece = yield* next(path, scan, read)
          return [piece, { scan, isOver: piece._tag === "End" }] as const
        })
      )
    )
  )

/**
 * Writes a stream of an archive's bytes to `directory/name`: under a temporary name, synced, and renamed once `isWhole`
 * accepts the temporary file. A failure leaves no file behind. Returns how many bytes it wrote.
 */
export const writeArchive = Effect.fnUntraced(function* <E, R, E2, R2>(options: {
  readonly directory: string
  readonly name: string
  readonly bytes: Stream.Stream<Uint8Array, E, R>
  readonly isWhole: (path: string) => Effect.Effect<void, E2, R2>
  readonly onProgress?: (bytes: number) => void
}): Effect.fn.Return<number, E | E2 | LogFailed, R | R2> {
  const { bytes, directory, isWhole, name, onProgress = () => {} } = options
  const path = `${directory}/${name}`
  const temporary = `${path}.part`
  const written = Effect.gen(function* () {
    let offset = 0
    let unsyncedBytes = 0
    yield* Effect.acquireUseRelease(
      openFile(temporary, "w"),
      (file) =>
        Stream.runForEach(bytes, (part) =>
          Effect.gen(function* () {
            yield* writeAll(file, part, offset)
            offset += part.length
            unsyncedBytes += part.length
            onProgress(offset)
            if (unsyncedBytes < SYNCED_AT_ONCE_BYTES) return
            yield* syncFile(file)
            unsyncedBytes = 0
          })
        ).pipe(Effect.andThen(syncFile(file))),
      (file) => Effect.orDie(closeFile(file))
    )
    yield* isWhole(temporary)
    yield* renameFile(temporary, path)
    yield* syncDirectory(directory)
    return offset
  })
  // The failure is what the caller hears of. The file may not be there yet.
  return yield* Effect.onError(written, () => Effect.ignore(unlinkFile(temporary)))
})

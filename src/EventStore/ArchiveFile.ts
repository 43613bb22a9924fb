/**
 * A backup archive as a file: written piece by piece under a temporary name, whole once it has its own; read piece by
 * piece, in bounded memory, from a file or from another source of its bytes. The bytes are ArchiveFormat.ts.
 */
import { Effect, Pull, Schema, type Scope, Stream } from "effect"
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

/** Reads a range that begins no earlier than the ranges before it. */
type ReadForward<E> = (range: Parameters<ReadAt>[0]) => Effect.Effect<Uint8Array, E>

const next = Effect.fnUntraced(function* <E>(
  file: string,
  scan: ArchiveScan,
  read: ReadForward<E>
): Effect.fn.Return<ArchivePiece, E | ArchiveDamaged> {
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

const piecesOf = <E, R>(
  name: string,
  opened: Effect.Effect<ReadForward<E>, E, R>
): Stream.Stream<ArchivePiece, E | ArchiveDamaged, Exclude<R, Scope.Scope>> =>
  Stream.unwrap(
    Effect.map(opened, (read) =>
      Stream.unfold(
        { scan: beginArchiveScan(), isOver: false },
        Effect.fnUntraced(function* ({ isOver, scan }) {
          if (isOver) return undefined
          const piece = yield* next(name, scan, read)
          return [piece, { scan, isOver: piece._tag === "End" }] as const
        })
      )
    )
  )

/**
 * The pieces of an archive, in order: the last is its end, by which all bytes before are proven. A caller must not act
 * on a piece before it has the end.
 */
export const archivePieces = (path: string): Stream.Stream<ArchivePiece, LogFailed | ArchiveDamaged> =>
  piecesOf(path, openArchive(path))

/** The pieces of an archive whose bytes come from elsewhere, as of {@link archivePieces}. Failures tell its `name`. */
export const archivePiecesIn = <E>(
  name: string,
  bytes: Stream.Stream<Uint8Array, E>
): Stream.Stream<ArchivePiece, E | ArchiveDamaged> =>
  piecesOf(
    name,
    Effect.map(Stream.toPull(bytes), (pull): ReadForward<E> => {
      let held: Uint8Array = new Uint8Array(0)
      let heldOffset = 0
      let isOver = false
      return Effect.fnUntraced(function* ({ lengthBytes, offset }) {
        const parts = [held.subarray(Math.min(offset - heldOffset, held.length))]
        let missingBytes = lengthBytes - parts[0]!.length
        heldOffset = offset
        while (missingBytes > 0 && !isOver) {
          const more = yield* Pull.catchDone(pull, () => {
            isOver = true
            return Effect.succeed([])
          })
          for (const part of more) {
            parts.push(part)
            missingBytes -= part.length
          }
        }
        held = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
        return held.subarray(0, lengthBytes)
      })
    })
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
  /** The temporary name, for several writers of one file at once. By default all use one. */
  readonly temporaryName?: string
}): Effect.fn.Return<number, E | E2 | LogFailed, R | R2> {
  const { bytes, directory, isWhole, name, temporaryName = `${name}.part` } = options
  const path = `${directory}/${name}`
  const temporary = `${directory}/${temporaryName}`
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

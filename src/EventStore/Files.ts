/**
 * The few file operations of a log, off the main thread: node:fs callbacks as Effects, failures as LogFailed.
 * Not Effect's FileSystem, which has neither fdatasync nor positioned writes.
 */
import * as fs from "node:fs"
import { dirname, resolve } from "node:path"
import { Effect } from "effect"
import { LogFailed } from "./LogStore.ts"

type Callback<A> = (error: Error | null, value?: A) => void

/** Runs one operation to its end: what has been handed to the operating system cannot be called back. */
function operation<A>(what: string, run: (callback: Callback<A>) => void): Effect.Effect<A, LogFailed> {
  return Effect.uninterruptible(
    Effect.callback<A, LogFailed>((resume) => {
      run((error, value) => {
        if (error === null || error === undefined) resume(Effect.succeed(value as A))
        else resume(Effect.fail(new LogFailed({ message: `Cannot ${what}: ${error.message}`, cause: error })))
      })
    })
  )
}

export const openFile = (path: string, flags: string) =>
  operation<number>(`open "${path}"`, (done) => fs.open(path, flags, done))

export const closeFile = (file: number) => operation<void>("close a file", (done) => fs.close(file, done))

/** Data, and what of the metadata is needed to read it back. */
export const syncData = (file: number) => operation<void>("sync data", (done) => fs.fdatasync(file, done))

export const syncFile = (file: number) => operation<void>("sync a file", (done) => fs.fsync(file, done))

export const truncateFile = (file: number, lengthBytes: number) =>
  operation<void>(`truncate a file to ${lengthBytes} bytes`, (done) => fs.ftruncate(file, lengthBytes, done))

export const renameFile = (from: string, to: string) =>
  operation<void>(`rename "${from}" to "${to}"`, (done) => fs.rename(from, to, done))

export const unlinkFile = (path: string) => operation<void>(`remove "${path}"`, (done) => fs.unlink(path, done))

export const listDirectory = (path: string) =>
  operation<Array<string>>(`list directory "${path}"`, (done) => fs.readdir(path, done))

export const readWholeFile = (path: string) =>
  operation<Uint8Array>(`read "${path}"`, (done) => fs.readFile(path, done))

/** Writes all of `bytes`: the operating system may take fewer at a time. */
export const writeAll = Effect.fnUntraced(function* (file: number, bytes: Uint8Array, offset: number) {
  let written = 0
  while (written < bytes.length) {
    const count = yield* operation<number>(`write ${bytes.length} bytes at offset ${offset}`, (done) =>
      fs.write(file, bytes, written, bytes.length - written, offset + written, done)
    )
    if (count === 0) return yield* new LogFailed({ message: `Cannot write at offset ${offset}: no bytes were taken` })
    written += count
  }
})

/** Up to `lengthBytes` from `offset` on; fewer at the end of the file. */
export const readAt = Effect.fnUntraced(function* (file: number, range: { offset: number; lengthBytes: number }) {
  const bytes = new Uint8Array(range.lengthBytes)
  let filled = 0
  while (filled < bytes.length) {
    const count = yield* operation<number>(`read at offset ${range.offset}`, (done) =>
      fs.read(file, bytes, filled, bytes.length - filled, range.offset + filled, done)
    )
    if (count === 0) return bytes.subarray(0, filled)
    filled += count
  }
  return bytes
})

/** Runs `use` on an open file, and closes it whatever comes of that. */
export function withFile<A, E>(
  path: string,
  flags: string,
  use: (file: number) => Effect.Effect<A, E>
): Effect.Effect<A, E | LogFailed> {
  return Effect.acquireUseRelease(openFile(path, flags), use, (file) => Effect.orDie(closeFile(file)))
}

/** Makes the names in a directory durable: without it, a file made or renamed may be gone after a crash. */
export const syncDirectory = (path: string) => withFile(path, "r", syncFile)

/** Makes a directory, and those above it, where they are missing; their names are durable when it returns. */
export const makeDirectory = Effect.fnUntraced(function* (path: string) {
  const made = yield* operation<string | undefined>(`make directory "${path}"`, (done) =>
    fs.mkdir(path, { recursive: true }, done)
  )
  // The parent is synced even if nothing was made: a crash may have come between the making and the sync.
  const top = dirname(resolve(made ?? path))
  let parent = dirname(resolve(path))
  yield* syncDirectory(parent)
  while (parent !== top) {
    parent = dirname(parent)
    yield* syncDirectory(parent)
  }
})

/** Writes a file so that its name never stands for half of it: temporary file, sync, rename, directory sync. */
export const writeFileAtomically = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly name: string
  readonly parts: ReadonlyArray<Uint8Array>
}) {
  const path = `${options.directory}/${options.name}`
  const temporary = `${path}.tmp`
  yield* withFile(temporary, "w", (file) =>
    Effect.gen(function* () {
      let offset = 0
      for (const part of options.parts) {
        yield* writeAll(file, part, offset)
        offset += part.length
      }
      yield* syncFile(file)
    })
  )
  yield* renameFile(temporary, path)
  yield* syncDirectory(options.directory)
})

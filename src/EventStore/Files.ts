/**
 * The few file operations of a node: the callbacks of FileSystem.ts as Effects, which run off the main thread, and their
 * failures as LogFailed. Effect's own FileSystem has neither fdatasync nor positioned writes.
 */
import { dirname, resolve } from "node:path"
import { Effect } from "effect"
import { type Callback, type FileIdentity, FileSystem } from "./FileSystem.ts"
import { LogFailed } from "./LogStore.ts"

const failed = (what: string, error: Error): LogFailed =>
  new LogFailed({ message: `Cannot ${what}: ${error.message}`, cause: error })

/** Runs one operation to its end, since nobody can take it back from the operating system. */
function operation<A>(
  what: string,
  run: (system: FileSystem, callback: Callback<A>) => void
): Effect.Effect<A, LogFailed> {
  return Effect.withFiber<A, LogFailed>((fiber) => {
    const system = fiber.getRef(FileSystem)
    return Effect.uninterruptible(
      Effect.callback<A, LogFailed>((resume) => {
        run(system, (error, value) => {
          if (error === null || error === undefined) resume(Effect.succeed(value as A))
          else resume(Effect.fail(failed(what, error)))
        })
      })
    )
  })
}

/** The operating system's code for the failure, such as `ENOSPC`; undefined if it did not come from there. */
export const codeOf = (failure: LogFailed): string | undefined =>
  (failure.cause as NodeJS.ErrnoException | undefined)?.code

/** Whether the operating system refused for want of space, of the disk or of a quota. */
export const isSpaceShort = (failure: LogFailed): boolean => {
  const code = codeOf(failure)
  return code === "ENOSPC" || code === "EDQUOT"
}

export const openFile = (path: string, flags: string) =>
  operation<number>(`open "${path}"`, (system, done) => system.open(path, flags, done))

export const closeFile = (file: number) => operation<void>("close a file", (system, done) => system.close(file, done))

/** Syncs the data of a file, with the metadata that reading it back needs. */
export const syncData = (file: number) => operation<void>("sync data", (system, done) => system.fdatasync(file, done))

/** {@link syncData} without an Effect. `done` gets the failure if there is one. */
export const syncDataThen = (
  system: FileSystem,
  file: number,
  done: (failure: LogFailed | undefined) => void
): void => {
  system.fdatasync(file, (error) => {
    done(error === null || error === undefined ? undefined : failed("sync data", error))
  })
}

export const syncFile = (file: number) => operation<void>("sync a file", (system, done) => system.fsync(file, done))

export const truncateFile = (file: number, lengthBytes: number) =>
  operation<void>(`truncate a file to ${lengthBytes} bytes`, (system, done) =>
    system.ftruncate(file, lengthBytes, done)
  )

export const renameFile = (from: string, to: string) =>
  operation<void>(`rename "${from}" to "${to}"`, (system, done) => system.rename(from, to, done))

export const unlinkFile = (path: string) =>
  operation<void>(`remove "${path}"`, (system, done) => system.unlink(path, done))

export const listDirectory = (path: string) =>
  operation<Array<string>>(`list directory "${path}"`, (system, done) => system.readdir(path, done))

export const readWholeFile = (path: string) =>
  operation<Uint8Array>(`read "${path}"`, (system, done) => system.readFile(path, done))

/** The identity of the file that has this name now. */
export const identityAt = (path: string) =>
  operation<FileIdentity>(`look at "${path}"`, (system, done) => system.stat(path, { bigint: true }, done))

/** Whether a file has this name now. */
export const isFile = (path: string): Effect.Effect<boolean, LogFailed> =>
  Effect.as(identityAt(path), true).pipe(
    Effect.catchTag("LogFailed", (failure) =>
      codeOf(failure) === "ENOENT" ? Effect.succeed(false) : Effect.fail(failure)
    )
  )

/** The identity of an open file, whatever has its name now. */
export const identityOf = (file: number) =>
  operation<FileIdentity>("look at a file", (system, done) => system.fstat(file, { bigint: true }, done))

export const isSame = (one: FileIdentity, other: FileIdentity): boolean =>
  one.ino === other.ino && one.dev === other.dev

/** Writes all of `bytes`, in several calls if the operating system takes fewer at a time. */
export const writeAll = Effect.fnUntraced(function* (file: number, bytes: Uint8Array, offset: number) {
  let written = 0
  while (written < bytes.length) {
    const count = yield* operation<number>(`write ${bytes.length} bytes at offset ${offset}`, (system, done) =>
      system.write(file, bytes, written, bytes.length - written, offset + written, done)
    )
    if (count === 0) return yield* new LogFailed({ message: `Cannot write at offset ${offset}: no bytes were taken` })
    written += count
  }
})

/** {@link writeAll} on this thread. Use it for few bytes. Returns the failure if there is one. */
export const writeAllNow = (
  system: FileSystem,
  file: number,
  bytes: Uint8Array,
  offset: number
): LogFailed | undefined => {
  let written = 0
  try {
    while (written < bytes.length) {
      const count = system.writeSync(file, bytes, written, bytes.length - written, offset + written)
      if (count === 0) return new LogFailed({ message: `Cannot write at offset ${offset}: no bytes were taken` })
      written += count
    }
    return undefined
  } catch (error) {
    return failed(`write ${bytes.length} bytes at offset ${offset}`, error as Error)
  }
}

/** Reads up to `lengthBytes` from `offset` on; fewer at the end of the file. */
export const readAt = Effect.fnUntraced(function* (file: number, range: { offset: number; lengthBytes: number }) {
  const bytes = new Uint8Array(range.lengthBytes)
  let filled = 0
  while (filled < bytes.length) {
    const count = yield* operation<number>(`read at offset ${range.offset}`, (system, done) =>
      system.read(file, bytes, filled, bytes.length - filled, range.offset + filled, done)
    )
    if (count === 0) return bytes.subarray(0, filled)
    filled += count
  }
  return bytes
})

/** Runs `use` on an open file, and closes it however `use` ends. */
export function withFile<A, E>(
  path: string,
  flags: string,
  use: (file: number) => Effect.Effect<A, E>
): Effect.Effect<A, E | LogFailed> {
  return Effect.acquireUseRelease(openFile(path, flags), use, (file) => Effect.orDie(closeFile(file)))
}

/** Makes the names in a directory durable. Otherwise a new or renamed file may be gone after a crash. */
export const syncDirectory = (path: string) =>
  withFile(path, "r", (file) => operation<void>(`sync directory "${path}"`, (system, done) => system.fsync(file, done)))

/** Makes one directory in its parent, which must exist; false if it is there already. */
const makeOne = (path: string) =>
  operation<void>(`make directory "${path}"`, (system, done) => system.mkdir(path, done)).pipe(
    Effect.as(true),
    Effect.catchTag("LogFailed", (failure) =>
      codeOf(failure) === "EEXIST" ? Effect.succeed(false) : Effect.fail(failure)
    )
  )

/** Syncs a directory, unless another user owns it: then that user makes its names durable. */
const syncIfReadable = (path: string) =>
  Effect.catchTag(syncDirectory(path), "LogFailed", (failure) =>
    codeOf(failure) === "EACCES" ? Effect.void : Effect.fail(failure)
  )

/**
 * Makes a directory if it is missing, in a parent that exists. When this returns, its name, the names in it and its
 * parent's name are durable, even if an earlier process made them: somebody may have killed that before it synced them.
 */
export const makeFolder = Effect.fnUntraced(function* (path: string) {
  const parent = dirname(resolve(path))
  const isMade = yield* makeOne(path)
  yield* syncIfReadable(dirname(parent))
  yield* isMade ? syncDirectory(parent) : syncIfReadable(parent)
  yield* syncDirectory(path)
})

/**
 * {@link makeFolder} with all missing parents, from the top: each is durable before the next is made in it. Node's own
 * `recursive` never ends if a file system says ENOENT although the parent exists, as /proc does.
 */
export const makeDirectory = (path: string): Effect.Effect<void, LogFailed> =>
  Effect.catchTag(makeFolder(path), "LogFailed", (failure) => {
    const parent = dirname(resolve(path))
    if (codeOf(failure) !== "ENOENT" || parent === resolve(path)) return Effect.fail(failure)
    return Effect.andThen(makeDirectory(parent), makeFolder(path))
  })

/** Writes a file that is whole as soon as it has its name: temporary file, sync, rename, directory sync. */
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

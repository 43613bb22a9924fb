/** Files by name, as snapshots and history need them: the few operations, and their two kinds, on disk and in memory. */
import { Effect, type Scope } from "effect"
import {
  closeFile,
  listDirectory,
  openFile,
  readAt,
  renameFile,
  syncDirectory,
  syncFile,
  truncateFile,
  unlinkFile,
  writeAll
} from "./Files.ts"
import { LogFailed } from "./LogStore.ts"

/** Up to `lengthBytes` from `offset` on; fewer at the end. */
export type ReadAt = (range: {
  readonly offset: number
  readonly lengthBytes: number
}) => Effect.Effect<Uint8Array, LogFailed>

/** A file that is being written. Nothing of it is durable before {@link sync} returns. */
export interface WritableFile {
  readonly write: (bytes: Uint8Array, offset: number) => Effect.Effect<void, LogFailed>
  readonly truncate: (lengthBytes: number) => Effect.Effect<void, LogFailed>
  readonly sync: Effect.Effect<void, LogFailed>
}

export interface NamedFiles {
  readonly names: Effect.Effect<ReadonlyArray<string>, LogFailed>
  /** Stays readable until the scope closes, though it is renamed or removed. */
  readonly openToRead: (name: string) => Effect.Effect<ReadAt, LogFailed, Scope.Scope>
  /** Made when it is missing; what is in it stays. */
  readonly openToWrite: (name: string) => Effect.Effect<WritableFile, LogFailed, Scope.Scope>
  /** Durable when it returns. */
  readonly rename: (names: { readonly from: string; readonly to: string }) => Effect.Effect<void, LogFailed>
  readonly remove: (name: string) => Effect.Effect<void, LogFailed>
  /** Makes the names that are there durable: a rename whose sync failed has left one that is not. */
  readonly syncNames: Effect.Effect<void, LogFailed>
}

/** Files of a directory, which must exist. */
export function filesIn(directory: string): NamedFiles {
  const path = (name: string) => `${directory}/${name}`
  const opened = (name: string, flags: string) =>
    Effect.acquireRelease(openFile(path(name), flags), (file) => Effect.orDie(closeFile(file)))
  return {
    names: listDirectory(directory),
    openToRead: (name) =>
      Effect.map(
        opened(name, "r"),
        (file): ReadAt =>
          (range) =>
            readAt(file, range)
      ),
    // "a" would write at the end only, and "r+" needs a file: it is made first.
    openToWrite: (name) =>
      Effect.scoped(opened(name, "a")).pipe(
        Effect.andThen(opened(name, "r+")),
        Effect.map((file) => ({
          write: (bytes, offset) => writeAll(file, bytes, offset),
          truncate: (lengthBytes) => truncateFile(file, lengthBytes),
          sync: syncFile(file)
        }))
      ),
    rename: ({ from, to }) => Effect.andThen(renameFile(path(from), path(to)), syncDirectory(directory)),
    remove: (name) => Effect.andThen(unlinkFile(path(name)), syncDirectory(directory)),
    syncNames: syncDirectory(directory)
  }
}

/** Named bytes in memory, which are gone with it. */
export function filesInMemory(): NamedFiles {
  const held = new Map<string, { bytes: Uint8Array }>()
  const found = (name: string) =>
    Effect.suspend(() => {
      const file = held.get(name)
      return file === undefined
        ? Effect.fail(new LogFailed({ message: `Cannot open "${name}": there is none` }))
        : Effect.succeed(file)
    })
  return {
    names: Effect.sync(() => [...held.keys()]),
    openToRead: (name) =>
      Effect.map(found(name), (file): ReadAt => {
        return ({ offset, lengthBytes }) => Effect.sync(() => file.bytes.slice(offset, offset + lengthBytes))
      }),
    openToWrite: (name) =>
      Effect.sync(() => {
        const file = held.get(name) ?? { bytes: new Uint8Array(0) }
        held.set(name, file)
        const resize = (lengthBytes: number) => {
          const bytes = new Uint8Array(lengthBytes)
          bytes.set(file.bytes.subarray(0, lengthBytes))
          file.bytes = bytes
        }
        return {
          write: (bytes, offset) =>
            Effect.sync(() => {
              resize(Math.max(file.bytes.length, offset + bytes.length))
              file.bytes.set(bytes, offset)
            }),
          truncate: (lengthBytes) => Effect.sync(() => resize(lengthBytes)),
          sync: Effect.void
        }
      }),
    rename: ({ from, to }) =>
      Effect.map(found(from), (file) => {
        held.delete(from)
        held.set(to, file)
      }),
    remove: (name) =>
      Effect.map(found(name), () => {
        held.delete(name)
      }),
    syncNames: Effect.void
  }
}

/**
 * Files that a node derived from its log, and can derive again. It reads and writes each as a whole, so a crash leaves
 * the old one or the new one, and any may be missing. The log and its snapshots are not among them.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { listDirectory, makeFolder, readWholeFile, syncDirectory, unlinkFile, writeFileAtomically } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"

export interface DerivedFiles {
  /** Reads a file; undefined if there is none of this name. */
  readonly read: (name: string) => Effect.Effect<Uint8Array | undefined, LogFailed>
  /** Writes a file, durably when it returns. */
  readonly write: (name: string, parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, LogFailed>
  /** Removes a file, durably when it returns. */
  readonly remove: (name: string) => Effect.Effect<void, LogFailed>
  /** Makes the folder if it is missing, and returns its path, for files that others read and write. */
  readonly folder: Effect.Effect<string, LogFailed, Scope.Scope>
}

/** The files in a folder. The first write makes it, but never in a data directory that was removed meanwhile. */
export const derivedIn = (directory: string): DerivedFiles => ({
  read: Effect.fnUntraced(function* (name) {
    yield* makeFolder(directory)
    const isThere = (yield* listDirectory(directory)).includes(name)
    return isThere ? yield* readWholeFile(`${directory}/${name}`) : undefined
  }),
  write: (name, parts) => Effect.andThen(makeFolder(directory), writeFileAtomically({ directory, name, parts })),
  remove: Effect.fnUntraced(function* (name) {
    yield* makeFolder(directory)
    if (!(yield* listDirectory(directory)).includes(name)) return
    yield* unlinkFile(`${directory}/${name}`)
    yield* syncDirectory(directory)
  }),
  folder: Effect.as(makeFolder(directory), directory)
})

/** The files of a node without a disk. Its folder is a temporary one, and is lost with the node. */
export const derivedInMemory = (files: Map<string, Uint8Array> = new Map()): DerivedFiles => ({
  read: (name) => Effect.sync(() => files.get(name)),
  write: (name, parts) => Effect.sync(() => void files.set(name, Buffer.concat(parts))),
  remove: (name) => Effect.sync(() => void files.delete(name)),
  folder: Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-derived-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
})

/**
 * Files of what a node has derived from its log, and can derive again: each is read and written as a whole, so that a
 * crash leaves the old one or the new one, and any may be missing. Not the log, and not its snapshots.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { listDirectory, makeFolder, readWholeFile, writeFileAtomically } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"

export interface DerivedFiles {
  /** Undefined where there is none of this name. */
  readonly read: (name: string) => Effect.Effect<Uint8Array | undefined, LogFailed>
  /** Durable when it returns. */
  readonly write: (name: string, parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, LogFailed>
  /** The folder itself, made if it is missing, for files that others read and write. */
  readonly folder: Effect.Effect<string, LogFailed, Scope.Scope>
}

/** Those in a folder, which is made with the first of them: never in a data directory that was removed meanwhile. */
export const derivedIn = (directory: string): DerivedFiles => ({
  read: Effect.fnUntraced(function* (name) {
    yield* makeFolder(directory)
    const isThere = (yield* listDirectory(directory)).includes(name)
    return isThere ? yield* readWholeFile(`${directory}/${name}`) : undefined
  }),
  write: (name, parts) => Effect.andThen(makeFolder(directory), writeFileAtomically({ directory, name, parts })),
  folder: Effect.as(makeFolder(directory), directory)
})

/** Those of a node without a disk; its folder is a temporary one, and is lost with the node. */
export const derivedInMemory = (files: Map<string, Uint8Array> = new Map()): DerivedFiles => ({
  read: (name) => Effect.sync(() => files.get(name)),
  write: (name, parts) => Effect.sync(() => void files.set(name, Buffer.concat(parts))),
  folder: Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-derived-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
})

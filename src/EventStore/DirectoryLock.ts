/**
 * Lets one node at a time use a data directory: among all processes on this machine, in any container or PID namespace,
 * and within one process. The lock is the kernel's (fcntl(2), on the file `lock`), and ends with the process that holds
 * it. Node has no call for it, so SQLite takes it, with an exclusive transaction that never ends and writes nothing
 * (https://sqlite.org/lockingv3.html). If file locks hold between machines, so does this one.
 */
import { DatabaseSync } from "node:sqlite"
import { Effect, Schema, type Scope } from "effect"
import type { FileIdentity } from "./FileSystem.ts"
import { identityAt } from "./Files.ts"
import { LogFailed } from "./LogStore.ts"

/** Another node runs on this directory. */
export class DirectoryInUse extends Schema.TaggedError<DirectoryInUse>()("DirectoryInUse", {
  message: Schema.String,
  directory: Schema.String
}) {}

/** The name of the lock's file. The file is empty and stays: the lock is on it, and the file itself is not the lock. */
export const LOCK_FILE = "lock"

const inUse = (directory: string) =>
  new DirectoryInUse({
    message:
      `Cannot open "${directory}": another node runs on it, in a process or container that holds "${LOCK_FILE}". ` +
      "Stop that node, or choose another directory",
    directory
  })

/** Recognises SQLITE_BUSY by its text, since not every runtime gives the code. */
const refusalOf = (directory: string, thrown: unknown): DirectoryInUse | LogFailed => {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (message === "database is locked") return inUse(directory)
  return new LogFailed({ message: `Cannot lock "${directory}/${LOCK_FILE}": ${message}` })
}

const locked = (path: string): DatabaseSync => {
  const database = new DatabaseSync(path)
  try {
    database.exec("BEGIN EXCLUSIVE")
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const acquire = (directory: string) =>
  Effect.try({
    try: () => locked(`${directory}/${LOCK_FILE}`),
    catch: (thrown) => refusalOf(directory, thrown)
  })

/**
 * Locks `directory`, which must exist, until the scope closes or the process ends. Returns the identity of the locked
 * file: once another file has its name, the lock protects nothing.
 */
export const lockDirectory = (
  directory: string
): Effect.Effect<FileIdentity, DirectoryInUse | LogFailed, Scope.Scope> =>
  Effect.andThen(
    Effect.acquireRelease(acquire(directory), (database) => Effect.sync(() => database.close())),
    identityAt(`${directory}/${LOCK_FILE}`)
  )

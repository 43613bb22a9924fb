/**
 * One process per data directory. Not a lock between machines: a directory shared by two of them is not supported.
 *
 * A process that wants the directory makes a file named after itself (process id, start time, boot), and only then looks
 * for files of others. Of two, at least one sees the other; both may, and then both give up, which is safe. A name whose
 * process is gone never comes to life again, so that whoever meets it after a kill -9 may remove it.
 */
import * as fs from "node:fs"
import { Effect, Schema } from "effect"
import { closeFile, listDirectory, openFile, unlinkFile } from "./Files.ts"

/** Another process runs on this directory. */
export class DirectoryInUse extends Schema.TaggedError<DirectoryInUse>()("DirectoryInUse", {
  message: Schema.String,
  directory: Schema.String,
  processId: Schema.Int
}) {}

const PREFIX = "lock"

/** Locks held by this process: a file of its own name that is not here was left by an earlier one with the same id. */
const heldHere = new Set<string>()

function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    // No such process, or no /proc on this system: both mean that there is nothing to tell.
    return undefined
  }
}

/** When a process started, in ticks since boot (proc(5), field 22); undefined without /proc, or when it is gone or a zombie. */
function startOf(processId: number): string | undefined {
  // The name of the program, in parentheses, may hold spaces: the fields are counted behind it.
  const fields = readText(`/proc/${processId}/stat`)?.split(") ").at(-1)?.split(" ")
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19]
}

function bootOf(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim().slice(0, 8) ?? "0"
}

function ownName(): string {
  return [PREFIX, process.pid, startOf(process.pid) ?? "0", bootOf()].join(".")
}

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0)
  } catch (error) {
    // EPERM: it runs, as another user. Anything else: there is no such process.
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** The id of the process that a lock's name stands for, if that very process still runs. */
function ownerOf(name: string): number | undefined {
  const [, id = "", start = "0", boot = "0"] = name.split(".")
  const processId = Number(id)
  // Without /proc only the id can be asked for: a reused id then refuses the directory, which errs on the safe side.
  const isAlive = start === "0" ? isRunning(processId) : boot === bootOf() && startOf(processId) === start
  return isAlive ? processId : undefined
}

const inUse = (directory: string, processId: number) =>
  new DirectoryInUse({
    message: `Cannot open "${directory}": process ${processId} runs on it. Stop that process, or choose another directory`,
    directory,
    processId
  })

const acquire = Effect.fnUntraced(function* (directory: string) {
  const name = ownName()
  const path = `${fs.realpathSync(directory)}/${name}`
  if (heldHere.has(path)) return yield* inUse(directory, process.pid)
  yield* closeFile(yield* openFile(path, "w"))
  heldHere.add(path)
  const names = yield* Effect.tapError(listDirectory(directory), () => release(path))
  const others = names.filter((other) => other.startsWith(`${PREFIX}.`) && other !== name)
  for (const other of others) {
    const processId = ownerOf(other)
    if (processId !== undefined) {
      yield* release(path)
      return yield* inUse(directory, processId)
    }
    // Whoever else removes it at the same time has the same reason.
    yield* Effect.ignore(unlinkFile(`${directory}/${other}`))
  }
  return path
})

const release = (path: string) =>
  Effect.suspend(() => {
    heldHere.delete(path)
    // A lock that cannot be removed is stale once this process ends.
    return Effect.ignore(unlinkFile(path))
  })

/** Holds `directory`, which must exist, until the scope closes or the process ends in whatever way. */
export const lockDirectory = (directory: string) => Effect.asVoid(Effect.acquireRelease(acquire(directory), release))

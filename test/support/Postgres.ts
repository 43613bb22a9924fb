/**
 * A real PostgreSQL for a test: in a directory of its own, on a free port of loopback, by a user of its own, since it
 * refuses to run as root. It can be killed, and started again over what it left.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schedule } from "effect"
import { freePort } from "./freePort.ts"

/** Debian keeps the server out of the path. */
const versions = "/usr/lib/postgresql"
const directories = existsSync(versions)
  ? readdirSync(versions)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(versions, version, "bin"))
  : []
const binary = (name: string) => directories.map((each) => join(each, name)).find(existsSync) ?? name

const idOf = (flag: "-u" | "-g") => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout)

/** The user and group to run as, if this process is root. Debian's package makes them. */
const userOf = () => (process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {})

/** The database user, whom it trusts without a password. */
export const username = "lithair"

/** Makes one, and starts it. It ends with the scope. */
export const startPostgres = Effect.gen(function* () {
  const port = yield* freePort
  const user = userOf()
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-postgres-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid)
  const data = join(directory, "data")
  const { status, stderr } = spawnSync(
    binary("initdb"),
    ["-D", data, "-U", username, "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"],
    { ...user, cwd: directory, encoding: "utf8" }
  )
  if (status !== 0) return yield* Effect.die(new Error(`initdb ended with ${status}: ${stderr}`))

  let child: ChildProcess | undefined
  let output = ""
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const launch = Effect.sync(() => {
    if (isRunning()) return
    const flags = ["-D", data, "-p", String(port), "-k", directory, "-c", "listen_addresses=127.0.0.1"]
    // Processes die here, and the machine does not: what the kernel has is not lost.
    child = spawn(binary("postgres"), [...flags, "-c", "fsync=off"], { ...user, stdio: ["ignore", "pipe", "pipe"] })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        output = (output + bytes.toString()).slice(-10_000)
      })
    }
  })
  const isReady = Effect.suspend(() => {
    const { status } = spawnSync(binary("pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)])
    return status === 0 ? Effect.void : Effect.fail(new Error(`PostgreSQL is not ready: ${output}`))
  })
  /** A server that was killed leaves processes for a moment, and the next one refuses to start beside them. */
  const start = Effect.andThen(launch, isReady).pipe(
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout("60 seconds"),
    Effect.orDie
  )
  const kill = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      if (child === undefined || !isRunning()) return
      const exited = once(child, "exit")
      child.kill(signal)
      await exited
    })
  // At once, and with all its processes.
  yield* Effect.addFinalizer(() => kill("SIGQUIT"))
  yield* start
  return {
    port,
    /** Waits until it takes connections. */
    start,
    /** Kills it with -9; its processes notice that and die. */
    kill: kill("SIGKILL")
  }
})

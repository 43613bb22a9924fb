/** A real NATS server with JetStream for a test: in a directory of its own, on a free port of loopback. It can be killed. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schedule } from "effect"
import { freePort } from "./freePort.ts"

/** Starts one. It ends with the scope. */
export const startNats = Effect.gen(function* () {
  const port = yield* freePort
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-nats-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  let child: ChildProcess | undefined
  const kill = Effect.promise(async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    child.kill("SIGKILL")
    await exited
  })
  const isReady = Effect.callback<void, Error>((resume) => {
    const socket = connect(port, "127.0.0.1", () => resume(Effect.void))
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })
  const start = Effect.sync(() => {
    child = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", directory], { stdio: "ignore" })
  }).pipe(
    Effect.andThen(Effect.retry(isReady, Schedule.spaced("20 millis"))),
    Effect.timeout("30 seconds"),
    Effect.orDie
  )
  yield* Effect.addFinalizer(() => kill)
  yield* start
  return { url: `nats://127.0.0.1:${port}`, start, kill }
})

/** The issuer of the ticketing example as a process of its own, on a free port. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { eventually, freePort, runtimeCommand } from "./Processes.ts"

const script = fileURLToPath(new URL("../../examples/ticketing/issuer.ts", import.meta.url))

export interface Issuer {
  readonly url: string
  /** A token for whoever has this name. */
  readonly tokenOf: (name: string) => Effect.Effect<string>
}

/** Starts it, and ends it with the scope. */
export const startIssuer: Effect.Effect<Issuer, Error, Scope.Scope> = Effect.gen(function* () {
  const port = yield* freePort
  const [command = "", ...args] = runtimeCommand("node")
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(command, [...args, script], {
        env: { ...process.env, TICKETING_ISSUER_PORT: String(port) },
        stdio: "ignore"
      })
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const ended = once(child, "exit")
        child.kill("SIGTERM")
        await ended
      })
  )
  const url = `http://127.0.0.1:${port}`
  const ask = (path: string, init?: RequestInit) =>
    Effect.tryPromise(async () => {
      const response = await fetch(`${url}${path}`, init)
      if (!response.ok) throw new Error(`${path} answers ${response.status}`)
      return await response.text()
    })
  yield* eventually("the issuer publishes its keys", ask("/.well-known/jwks.json"))
  return {
    url,
    tokenOf: (name) => Effect.orDie(ask("/token", { method: "POST", body: new URLSearchParams({ name }) }))
  }
})

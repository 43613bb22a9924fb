/** The issuer of the ticketing example as a process of its own, on a free port. */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { expectThat, freePort } from "./Processes.ts"
import { ask, startProgram, whenOk } from "./Programs.ts"

export interface Issuer {
  readonly url: string
  /** A token for a person of this name. */
  readonly tokenOf: (name: string) => Effect.Effect<string>
}

const root = fileURLToPath(new URL("../..", import.meta.url))
const form = { "content-type": "application/x-www-form-urlencoded" }

/** Starts it, and ends it with the scope. */
export const startIssuer = Effect.gen(function* () {
  const port = yield* freePort
  const environment = { TICKETING_ISSUER_PORT: String(port) }
  const script = "examples/ticketing/issuer.ts"
  const program = yield* startProgram({ runtime: "node", script, environment, cwd: root })
  yield* whenOk(program, port, "/.well-known/jwks.json")
  const tokenOf = (name: string) =>
    ask(port, "/token", { method: "POST", headers: form, body: `${new URLSearchParams({ name })}` }).pipe(
      Effect.tap(({ status, text }) => expectThat(status === 200, `the issuer gives a token: ${status} ${text}`)),
      Effect.map(({ text }) => text),
      Effect.orDie
    )
  return { url: `http://127.0.0.1:${port}`, tokenOf } satisfies Issuer
})

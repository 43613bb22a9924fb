/**
 * The token of a node's operators, in a file of its own: it is no secret of the cluster, and each node may have another.
 * The file is read again when it has changed, and on SIGHUP. docs/access.md, "Operators".
 */
import process from "node:process"
import { Clock, Context, Effect, FiberSet, Layer, Schema } from "effect"
import { readWholeFile } from "../EventStore/Files.ts"
import { isSecret, join, secretsOf, wrongWithSecret } from "../Raft/peers/Secret.ts"

/** The file of the token cannot be read, or its token can be guessed. */
export class BadTokenFile extends Schema.TaggedError<BadTokenFile>()("BadTokenFile", { message: Schema.String }) {}

/** Knows the token. */
export interface TokenSource {
  /** Whether one of these spellings is the token now. The time that this takes reveals nothing of it. */
  readonly holds: (spellings: ReadonlyArray<string>) => Effect.Effect<boolean>
}

/** The token of this node's operators; undefined if it has none, as by default. */
export const AdminToken = Context.Reference<TokenSource | undefined>("lithair/Http/AdminToken", {
  defaultValue: () => undefined
})

/** A changed file counts at the latest so many milliseconds after the change. */
const staleMaxMs = 1_000

/** Reads the tokens of a file, one in a line: two while one replaces the other. */
const read = Effect.fnUntraced(function* (file: string): Effect.fn.Return<string, BadTokenFile> {
  const bytes = yield* Effect.mapError(readWholeFile(file), ({ message }) => new BadTokenFile({ message }))
  const tokens = secretsOf(new TextDecoder().decode(bytes))
    .map((line) => line.trim())
    .filter((line) => line !== "")
  if (tokens.length === 0) return yield* new BadTokenFile({ message: `"${file}" holds no token` })
  for (const token of tokens) {
    const wrong = wrongWithSecret(token)
    if (wrong !== undefined) {
      return yield* new BadTokenFile({
        message: `The token in "${file}" is refused: ${wrong.replace(/^The secret/, "it")}`
      })
    }
  }
  return join(tokens)
})

const make = Effect.fnUntraced(function* (file: string) {
  let tokens = yield* read(file)
  let readMs = yield* Clock.currentTimeMillis
  let failure: string | undefined
  /** While the file cannot be read or is no good, the former token counts. */
  const readAgain = Effect.gen(function* () {
    readMs = yield* Clock.currentTimeMillis
    const found = yield* Effect.result(read(file))
    if (found._tag === "Success") {
      if (found.success !== tokens || failure !== undefined)
        yield* Effect.logInfo(`The admin token of "${file}" is read again`)
      tokens = found.success
      failure = undefined
    } else if (found.failure.message !== failure) {
      failure = found.failure.message
      yield* Effect.logWarning(`The former admin token counts on: ${failure}`)
    }
  })
  const fork = yield* FiberSet.makeRuntime<never>()
  const onHangUp = () => void fork(readAgain)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", onHangUp)),
    () => Effect.sync(() => process.off("SIGHUP", onHangUp))
  )
  const source: TokenSource = {
    holds: Effect.fnUntraced(function* (spellings) {
      // A clock that was set back must not keep an old token for long.
      if (Math.abs((yield* Clock.currentTimeMillis) - readMs) >= staleMaxMs) yield* readAgain
      return spellings.some((each) => isSecret(each, tokens))
    })
  }
  return source
})

/**
 * Gives a node an admin token, which is in this file: at least 32 characters, 8 of them distinct. Fails with `BadTokenFile`.
 * From then on `/_admin` and `/metrics` take no caller without a credential, programs of the node's own host included.
 */
export const layerAdminToken = (file: string): Layer.Layer<never, BadTokenFile> => Layer.effect(AdminToken, make(file))

/** `lithair secret new`: a random secret, for a cluster or for the token file of operators. */
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { json, print } from "./Output.ts"

const secretBytes = 32

const make = Command.make(
  "new",
  { json },
  Effect.fnUntraced(function* ({ json }) {
    const made = yield* Effect.sync(() => randomBytes(secretBytes).toString("base64url"))
    yield* print(json, { secret: made }, made)
  })
).pipe(
  Command.withDescription("Print a new secret of 256 random bits"),
  Command.withExamples([{ command: "lithair secret new > admin.token", description: "A token for --admin-token-file" }])
)

/** The command. */
export const secret = Command.make("secret").pipe(
  Command.withDescription("Make secrets for a cluster and its operators"),
  Command.withSubcommands([make])
)

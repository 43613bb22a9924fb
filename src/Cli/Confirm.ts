/** Asks before a command changes something, unless it was told `--yes`. */
import process from "node:process"
import { Console, Effect } from "effect"
import { Flag, Prompt } from "effect/cli"
import { CommandFailed, refused } from "./Exit.ts"

/** The flag of every command that changes something. */
export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do it without asking"),
  Flag.withDefault(false)
)

/** Says on stderr what will be done, and asks. Without a terminal it needs `--yes`. */
export const confirm = Effect.fnUntraced(function* (isYes: boolean, what: string) {
  yield* Console.error(what)
  if (isYes) return
  if (process.stdin.isTTY !== true) {
    return yield* new CommandFailed({ message: "Nobody can be asked here: add --yes if you mean it", exit: "usage" })
  }
  const isMeant = yield* Prompt.run(Prompt.Confirm({ message: "Do it?", initial: false }))
  if (!isMeant) return yield* refused("Nothing was done")
})

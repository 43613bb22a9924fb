/**
 * The command line of Lithair: one command with a subcommand for each verb. A verb is a file of this room, listed here;
 * Exit.ts has the exit codes that all share, Output.ts what they print. cli.ts runs it.
 */
import { Console, Effect } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { backup } from "./Backup.ts"
import { digest } from "./Digest.ts"
import { exitCodes } from "./Exit.ts"
import { exporting } from "./Export.ts"
import { inspect } from "./Inspect.ts"
import { key } from "./Key.ts"
import { recover } from "./Recover.ts"
import { restore } from "./Restore.ts"
import { secret } from "./Secret.ts"
import { verify } from "./Verify.ts"

/** The whole command line. */
export const lithair = Command.make("lithair").pipe(
  Command.withDescription("Looks after a Lithair cluster and its data"),
  Command.withSubcommands([backup, digest, verify, inspect, exporting, restore, recover, key, secret])
)

/** Prints what is wrong with an invocation as one line on stderr. Help and version stay as they are. */
export const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`lithair: ${event.errors.map(({ message }) => message).join("; ")} (--help says more)`)
      : CliOutput.defaultPresenter.present(event)
}

/** The exit code of a failure. */
export const exitCodeOf = (failure: unknown, codeOf: (failure: unknown) => number): number =>
  CliError.isCliError(failure) ? exitCodes.usage : codeOf(failure)

/** Prints the line that says why a command failed. The command line reports its own errors. */
export const report = (failure: unknown): Effect.Effect<void> =>
  CliError.isCliError(failure)
    ? Effect.void
    : Console.error(`lithair: ${failure instanceof Error ? failure.message : String(failure)}`)

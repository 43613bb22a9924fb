/** How a command ends: its exit codes, and the failure that carries one. The same for every command. */
import { Runtime, Schema } from "effect"

/** 0 is done. Programs decide by these numbers. */
export const exitCodes = {
  /** What was asked was refused, or failed. Nothing was changed. */
  refused: 1,
  usage: 2,
  /** No node answered, or the cluster has no quorum. */
  unreachable: 3,
  /** It may have been done. */
  unknown: 4,
  notAllowed: 5
} as const

/** A command failed. The message is the line that the user reads. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String,
  exit: Schema.Literals(["refused", "usage", "unreachable", "unknown", "notAllowed"])
}) {
  override get [Runtime.errorExitCode](): number {
    return exitCodes[this.exit]
  }
}

/** The refusal of what was asked. */
export const refused = (message: string): CommandFailed => new CommandFailed({ message, exit: "refused" })

/** The result of a command with the log index that it reflects: the one shape from the queue to Repository. */

/** A command's result, and the log index that it reflects: that of its entry, or of the read that confirmed it. */
export interface Answered<CommandResult> {
  readonly index: number
  readonly result: CommandResult
}

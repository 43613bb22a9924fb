/**
 * How long commands take, by their names: from a client's request to its outcome, on the node that it asked, and to be
 * decided, on the leader. The names are those of declared commands, of operations with their model, and of a node's own
 * commands: no client can add one.
 */
import { Cause, Exit, Result } from "effect"
import type { Command } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import * as Histogram from "../Raft/node/Histogram.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { Settle } from "../Raft/node/Settle.ts"

/** How a command ended for its client. */
export type CommandOutcome = "accepted" | "rejected" | "not-done" | "unknown"

/** The durations of one command, in seconds. A histogram begins with its first duration. */
export interface OfCommand {
  readonly name: string
  /** From the client's request to its outcome. */
  readonly asked: { [outcome in CommandOutcome]?: Histogram.Histogram }
  /** On the leader: how long the decision took, which keeps all other commands waiting. */
  decided: Histogram.Histogram | undefined
}

/** The durations of all commands since the node started. */
export interface CommandDurations {
  readonly all: () => ReadonlyArray<OfCommand>
  /** Counts the time from now to the outcome. */
  readonly asking: <E extends NotDone | UnknownOutcome>(
    command: Command,
    settle: Settle<Answered<CommandResult>, E>
  ) => Settle<Answered<CommandResult>, E>
  /** Counts the time of a decision. */
  readonly decided: (command: Command, tookNanos: bigint) => void
  /** The name of a command. */
  readonly nameOf: (command: Command) => string
}

/** What a command of no known model and no known name counts as. */
const other = "other"

export const make = (options: {
  readonly nowNanos: () => bigint
  readonly isModel: (name: string) => boolean
  readonly isDeclared: (command: string) => boolean
}): CommandDurations => {
  const { nowNanos } = options
  const all: Array<OfCommand> = []
  /** By tag and model, by the names of declared commands, and by tag alone. */
  const operations = { Create: ofNames(), Put: ofNames(), Patch: ofNames(), Delete: ofNames() }
  const declared = ofNames()
  const others = ofNames()

  const begun = (among: Map<string, OfCommand>, key: string, name: string): OfCommand => {
    const known = among.get(key)
    if (known !== undefined) return known
    const made: OfCommand = { name, asked: {}, decided: undefined }
    among.set(key, made)
    all.push(made)
    return made
  }
  const ofOther = (name: string): OfCommand => others.get(name) ?? begun(others, name, name)

  const of = (command: Command): OfCommand => {
    switch (command._tag) {
      case "Create":
      case "Put":
      case "Patch":
      case "Delete": {
        const { _tag, model } = command
        const known = operations[_tag].get(model)
        if (known !== undefined) return known
        return options.isModel(model) ? begun(operations[_tag], model, `${_tag} ${model}`) : ofOther(other)
      }
      case "Call": {
        const { name } = command
        const known = declared.get(name)
        if (known !== undefined) return known
        return options.isDeclared(name) ? begun(declared, name, name) : ofOther(other)
      }
      case "Transact":
        return ofOther(command.name ?? command._tag)
      default:
        return ofOther(command._tag)
    }
  }

  return {
    all: () => all,
    asking: (command, settle) => {
      const beganNanos = nowNanos()
      return (exit) => {
        const { asked } = of(command)
        const outcome = outcomeOf(exit)
        const histogram = asked[outcome] ?? Histogram.make()
        asked[outcome] = histogram
        Histogram.record(histogram, Histogram.secondsBetween(beganNanos, nowNanos()))
        settle(exit)
      }
    },
    decided: (command, tookNanos) => {
      const measured = of(command)
      measured.decided ??= Histogram.make()
      Histogram.record(measured.decided, Histogram.secondsBetween(0n, tookNanos))
    },
    nameOf: (command) => of(command).name
  }
}

const ofNames = () => new Map<string, OfCommand>()

/** A defect leaves it unknown whether the command is done. */
const outcomeOf = (exit: Exit.Exit<Answered<CommandResult>, NotDone | UnknownOutcome>): CommandOutcome => {
  if (Exit.isSuccess(exit)) return exit.value.result._tag === "Accepted" ? "accepted" : "rejected"
  const failed = Cause.findError(exit.cause)
  return Result.isSuccess(failed) && failed.success._tag === "NotDone" ? "not-done" : "unknown"
}

/** The machine as consensus drives it: decisions become payloads, committed entries become tables. Synchronous. */

import { Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { invariant } from "../Invariant.ts"
import type { Command } from "../Machine/Command.ts"
import type { Answer } from "../Machine/decide.ts"
import { evolve } from "../Machine/evolve.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { decode } from "../Machine/Transaction.ts"
import type { StateMachine } from "./StateMachine.ts"

/** What a client is told of its command: what it did, or why it was not done. */
export type CommandResult =
  | { readonly _tag: "Accepted"; readonly answer: Answer }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

/** `newId` makes the ids of records that came without one. */
export const make = (
  machine: Machine.Machine,
  options: { readonly newId: () => string }
): StateMachine<Command, CommandResult> => ({
  beginSpeculation: (unapplied) => {
    Machine.beginSpeculation(machine)
    for (const entry of unapplied) speculate(machine, entry)
  },
  dropSpeculation: () => Machine.dropSpeculation(machine),
  decide: (command, at) => {
    const decision = Machine.decideNext(machine, command, { ...at, newId: options.newId })
    const answer: CommandResult =
      decision._tag === "Rejected"
        ? { _tag: "Rejected", rejection: decision.rejection }
        : { _tag: "Accepted", answer: decision.answer }
    const entry = Machine.entryOf(decision)
    return entry === undefined ? { _tag: "Answer", answer } : { _tag: "Append", payload: entry.payload, answer }
  },
  apply: (entry) => {
    if (entry.type === "transaction") Machine.apply(machine, entry)
  }
})

const speculate = (machine: Machine.Machine, entry: LogEntry): void => {
  if (entry.type !== "transaction") return
  const transaction = decode(entry.payload)
  invariant(Result.isSuccess(transaction), `Cannot read entry ${entry.index} of this leader's own log`)
  invariant(machine.speculative !== undefined, "speculated without speculation")
  evolve(machine.speculative, { index: entry.index, transaction: transaction.success })
}

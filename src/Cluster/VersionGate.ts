/**
 * Refuses changes of a model of which another version is active than this node's code has, before they are sent to the
 * leader: the answer could not be shown in the version that the client knows. A copy of a request that was done before
 * gets the outcome of the first all the same. docs/evolution.md.
 */
import { Exit } from "effect"
import type { KeyHistory } from "../Local/KeyHistory.ts"
import { type Command, operationsOf } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import { decideKey } from "../Machine/decideKey.ts"
import { isBehind, isPending } from "../Machine/decideOperation.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, type Forget, type Settle, settleNow } from "../Raft/node/Settle.ts"

type Submit = (command: Command, settle: Settle<Answered<CommandResult>, NotDone | UnknownOutcome>) => Forget

/** Submits commands to `submit` that this node may send. */
export const make =
  (options: {
    readonly tables: () => Tables
    readonly keys: Pick<KeyHistory<NotDone, UnknownOutcome>, "told">
    /** Settles once the tables are linearizable. */
    readonly readIndex: Begin<number, NotDone>
    readonly submit: Submit
  }): Submit =>
  (command, settle) => {
    const { keys, readIndex, submit, tables } = options
    const rejection = otherVersionIn(tables(), command)
    if (rejection === undefined) return submit(command, settle)
    const refused: CommandResult = { _tag: "Rejected", rejection }
    if (command.key === undefined) {
      return settleNow(settle, Exit.succeed({ index: tables().index, result: refused }))
    }
    let forgetTold: Forget | undefined
    const forget = readIndex((exit) => {
      if (Exit.isFailure(exit)) return settle(Exit.failCause(exit.cause))
      const { index, logAgeMs } = tables()
      const known = decideKey(tables(), command, { index: index + 1, logAgeMs })
      forgetTold = keys.told({ index, result: known ?? refused }, settle)
    })
    return () => {
      forget()
      forgetTold?.()
    }
  }

/** The refusal of a change of a model of which another version is active than this node's code has. */
const otherVersionIn = (tables: Tables, command: Command): Rejection | undefined => {
  for (const { model } of operationsOf(command)) {
    const descriptor = tables.descriptors.get(model)
    if (descriptor === undefined) continue
    if (isPending(tables, descriptor)) return { _tag: "UpgradePending", model }
    if (isBehind(tables.byModel.get(model)!, descriptor)) {
      return { _tag: "UpgradeRequired", model, isAskersRelease: true }
    }
  }
  return undefined
}

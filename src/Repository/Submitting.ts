/** Submits commands to one of a node's two logs, the cluster's or its own, and returns the results. */
import { Effect, Exit } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import type { OperationAnswer } from "../Machine/Answer.ts"
import type { Command, Origin } from "../Machine/Command.ts"
import type { Accepted, CommandResult } from "../Machine/CommandResult.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, flatMapOutcome, settleNow } from "../Raft/node/Settle.ts"
import { type ChangeFailure, Refused, reflected } from "./Changed.ts"
import { refusedByOther } from "./OneKey.ts"

/** The two logs of a node. */
export interface Logs {
  readonly member: Member["Service"]
  readonly local: LocalNode["Service"]
}

/** The log of a model's records, by the model's mode, as a command is submitted to it, and the node's other log. */
const logsOf = (mode: Descriptor["mode"], { local, member }: Logs) =>
  mode === "local" ? { log: local, other: member } : { log: member, other: local }

/**
 * Submits a command on records of this mode to their log, unless the node's other log knows its key. A rejection fails.
 * No fiber waits (Settle.ts).
 */
export const beginAt =
  (mode: Descriptor["mode"], logs: Logs, command: Command): Begin<Answered<Accepted>, ChangeFailure> =>
  (settle) => {
    const { log, other } = logsOf(mode, logs)
    const rejection = refusedByOther(command, { own: log.tables, other: other.tables })
    if (rejection !== undefined) return settleNow(settle, Exit.fail(new Refused({ rejection })))
    const submitted: Begin<Answered<CommandResult>, NotDone | UnknownOutcome> = (settle) =>
      log.submitUnsafe(command, settle)
    return flatMapOutcome(submitted, (answered) => {
      const { index, result } = answered
      return result._tag === "Accepted"
        ? Exit.succeed({ index, result })
        : Exit.fail(new Refused({ rejection: result.rejection, ...reflected(mode, answered) }))
    })(settle)
  }

/** Refuses a request whose key the other log knows. */
export const mayHaveKey = (
  origin: Origin,
  tables: { readonly own: Tables; readonly other: Tables }
): Effect.Effect<void, Refused> =>
  Effect.suspend(() => {
    const rejection = refusedByOther(origin, tables)
    return rejection === undefined ? Effect.void : Effect.fail(new Refused({ rejection }))
  })

/** The result of a command with one operation. */
export const operationOf = ({ result }: Answered<Accepted>): OperationAnswer => {
  const [done] = result.answer.operations
  invariant(done !== undefined, "a command of one operation was answered without one")
  return done
}

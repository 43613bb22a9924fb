/** Submits commands to one of a node's two logs, the cluster's or its own, and returns the results. */
import { Effect, Exit } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import type { Answer, OperationAnswer } from "../Machine/Answer.ts"
import type { Command, Origin } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Answered } from "../Raft/node/CommandQueue.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, flatMapOutcome, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
import { Refused } from "./Changed.ts"
import { refusedByOther } from "./OneKey.ts"

/** The two logs of a node. */
export interface Logs {
  readonly member: Member["Service"]
  readonly local: LocalNode["Service"]
}

/** The result of a command that was done. */
export interface Done {
  readonly answer: Answer
  /** The index of its entry in the log that decided it. If nothing changed, the index that the answer reflects. */
  readonly entryIndex: number
  /** The index of the replicated log that the result reflects; undefined for this node's own data. */
  readonly logIndex: number | undefined
  /** An earlier request with the same idempotency key did the command: this copy changed nothing. */
  readonly isReplayed: boolean
}

/** The result of a command to the cluster's log. */
export type Replicated = Done & { readonly logIndex: number }

/** Either log, as a command is submitted to it. */
type Log = Pick<Logs["member"] & Logs["local"], "tables" | "submitUnsafe">

/** Submits a command to one log, unless the other one knows its key. */
const beginAt =
  <At extends Pick<Done, "logIndex">>(
    log: Log,
    command: Command,
    how: { readonly other: Tables; readonly at: (index: number) => At }
  ): Begin<Done & At, Refused | NotDone | UnknownOutcome> =>
  (settle) => {
    const rejection = refusedByOther(command, { own: log.tables, other: how.other })
    if (rejection !== undefined) return settleNow(settle, Exit.fail(new Refused({ rejection })))
    const submitted: Begin<Answered<CommandResult>, NotDone | UnknownOutcome> = (settle) =>
      log.submitUnsafe(command, settle)
    return flatMapOutcome(submitted, (answered) => done(answered, how.at(answered.index)))(settle)
  }

/** Submits a command to the cluster's log, without a fiber (Settle.ts). */
export const beginReplicate = (
  { local, member }: Logs,
  command: Command
): Begin<Replicated, Refused | NotDone | UnknownOutcome> =>
  beginAt(member, command, { other: local.tables, at: (logIndex) => ({ logIndex }) })

/** {@link beginReplicate} as an Effect. */
export const replicate = (
  logs: Logs,
  command: Command
): Effect.Effect<Replicated, Refused | NotDone | UnknownOutcome> => outcomeOf(beginReplicate(logs, command))

/** Submits a command to this node's own log, without a fiber (Settle.ts). */
export const beginLocal = (
  { local, member }: Logs,
  command: Command
): Begin<Done, Refused | NotDone | UnknownOutcome> =>
  beginAt(local, command, { other: member.tables, at: () => ({ logIndex: undefined }) })

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
export const operationOf = ({ operations: [done] }: Answer): OperationAnswer => {
  invariant(done !== undefined, "a command of one operation was answered without one")
  return done
}

const done = <At extends Pick<Done, "logIndex">>(
  { answer: result, index }: Answered<CommandResult>,
  at: At
): Exit.Exit<Done & At, Refused> => {
  const how = { isReplayed: result.replayedIndex !== undefined, ...at }
  return result._tag === "Rejected"
    ? Exit.fail(new Refused({ rejection: result.rejection, ...how }))
    : Exit.succeed({ answer: result.answer, entryIndex: result.replayedIndex ?? index, ...how })
}

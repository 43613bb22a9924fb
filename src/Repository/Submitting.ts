/** Submits commands to one of a node's two logs, the cluster's or its own, and returns the results. */
import { Effect, Exit } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import type { Command, Origin } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { Answer, OperationAnswer } from "../Machine/decide.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
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

/** Submits a command to the cluster's log, without a fiber (Settle.ts). */
export const beginReplicate =
  ({ local, member }: Logs, command: Command): Begin<Replicated, Refused | NotDone | UnknownOutcome> =>
  (settle) => {
    const rejection = refusedByOther(command, { own: member.tables, other: local.tables })
    if (rejection !== undefined) return settleNow(settle, Exit.fail(new Refused({ rejection })))
    return member.submitUnsafe(command, (exit) =>
      settle(
        Exit.isSuccess(exit)
          ? done(exit.value.answer, exit.value.index, { logIndex: exit.value.index })
          : Exit.failCause(exit.cause)
      )
    )
  }

/** {@link beginReplicate} as an Effect. */
export const replicate = (
  logs: Logs,
  command: Command
): Effect.Effect<Replicated, Refused | NotDone | UnknownOutcome> => outcomeOf(beginReplicate(logs, command))

/** Submits a command to this node's own log. */
export const submitLocal = (
  { local, member }: Logs,
  command: Command
): Effect.Effect<Done, Refused | NotDone | UnknownOutcome> =>
  Effect.gen(function* () {
    yield* mayHaveKey(command, { own: local.tables, other: member.tables })
    const { answer, index } = yield* local.submit(command)
    return yield* done(answer, index, { logIndex: undefined })
  })

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

const done = <At extends { readonly logIndex: number | undefined }>(
  result: CommandResult,
  index: number,
  at: At
): Exit.Exit<Omit<Done, "logIndex"> & At, Refused> => {
  const how = { isReplayed: result.replayedIndex !== undefined, ...at }
  return result._tag === "Rejected"
    ? Exit.fail(new Refused({ rejection: result.rejection, ...how }))
    : Exit.succeed({ answer: result.answer, entryIndex: result.replayedIndex ?? index, ...how })
}

/**
 * Tells the status of keyed commands in one log, the cluster's or the node's own: from the tables of that log, from the
 * log itself if only the log knows, and from the commands under way on this node. The caller makes sure that the tables
 * are up to date enough. C17.
 */
import { Cause, Effect, Exit, Result } from "effect"
import type { Keyed } from "../Machine/Command.ts"
import { type CommandResult, type Logged, recalled } from "../Machine/CommandResult.ts"
import { type KeyStatus, type Recalled, statusIn, statusOf } from "../Machine/KeyStatus.ts"
import type { Machine } from "../Machine/Machine.ts"
import { recall } from "../Machine/Recall.ts"
import * as Sessions from "../Machine/Sessions.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import { InFlight } from "../Raft/node/InFlight.ts"
import { type NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { beginEffect, type Forget, type Fork, type Settle, settleNow } from "../Raft/node/Settle.ts"

/** The history of the keys in one log. `Unreadable` says that the log could not be read, `Unknown` that an outcome is unknown. */
export interface KeyHistory<Unreadable, Unknown> {
  /** Settles with the same result. If only the log has the answer of the first copy, it reads that from the log. */
  readonly told: (
    answered: Answered<CommandResult | Logged>,
    settle: Settle<Answered<CommandResult>, Unknown>
  ) => Forget
  /** The status of a key, as far as this node has applied the log. */
  readonly keyStatus: (keyed: Keyed) => Effect.Effect<KeyStatus, Unreadable>
  /** Counts a keyed command as under way until the function that it returns is called. */
  readonly begin: (keyed: Keyed) => () => void
  /** Whether a client of this node, or a peer, waits for the command here. */
  readonly isUnderWay: (keyed: Keyed) => boolean
}

export const make = <Unreadable, Unknown>(options: {
  readonly machine: Machine
  /** Reads the transaction of the entry at this index; undefined if the entry is compacted away. */
  readonly read: (index: number) => Effect.Effect<Transaction | undefined, Unreadable>
  readonly unknown: (error: Unreadable) => Unknown
  readonly fork: Fork
}): KeyHistory<Unreadable, Unknown> => {
  const { fork, machine, unknown } = options
  /** Bounded by the commands that wait. Every write is one of them, and seldom anybody asks for one. */
  const underWay = new InFlight<Keyed>()
  let nextNumber = 1

  const read = (index: number): Effect.Effect<Recalled | undefined, Unreadable> =>
    Effect.map(options.read(index), (transaction) =>
      transaction === undefined
        ? undefined
        : { command: transaction.command, outcome: recall(machine.applied, { index, transaction }) }
    )

  const isUnderWay = ({ key, principal }: Keyed): boolean =>
    underWay.entries().some(([, each]) => each.key === key && each.principal === principal)

  /** Whether the command is decided and not applied yet. Its client may have given up. */
  const isProposed = (keyed: Keyed): boolean => {
    const { speculative } = machine
    return speculative !== undefined && Sessions.find(speculative, keyed, speculative.logAgeMs) !== undefined
  }

  return {
    told: (answered, settle) => {
      const { index, result } = answered
      if (result._tag !== "Logged") return settleNow(settle, Exit.succeed({ index, result }))
      const { replayedIndex } = result
      const first = Effect.mapBoth(read(replayedIndex), {
        onSuccess: (known) => ({ index, result: recalled(known?.outcome, replayedIndex) }),
        // The first copy was done or refused, and this node cannot tell which.
        onFailure: unknown
      })
      return beginEffect(fork, first, settle)
    },
    keyStatus: (keyed) =>
      Effect.suspend((): Effect.Effect<KeyStatus, Unreadable> => {
        const status = statusIn(machine.applied, keyed)
        if (status._tag === "Logged")
          return Effect.map(read(status.index), (recalled) => statusOf(status.index, recalled))
        const isPending = status._tag === "Absent" && (isUnderWay(keyed) || isProposed(keyed))
        return Effect.succeed(isPending ? { _tag: "Pending" } : status)
      }),
    begin: (keyed) => {
      const number = nextNumber++
      underWay.set(number, keyed)
      return () => void underWay.delete(number)
    },
    isUnderWay
  }
}

/** Adds the key under which a client can ask for an unknown outcome. */
export const underKey = <A, E extends NotDone | UnknownOutcome>(
  exit: Exit.Exit<A, E>,
  key: string | undefined
): Exit.Exit<A, E | UnknownOutcome> => {
  if (Exit.isSuccess(exit) || key === undefined) return exit
  const failed = Cause.findError(exit.cause)
  if (Result.isFailure(failed) || failed.success._tag !== "UnknownOutcome") return exit
  return Exit.fail(new UnknownOutcome({ message: failed.success.message, key }))
}

/**
 * Makes several changes, all or none, of replicated models or of node-local ones. One log decides them as one entry, so
 * a transaction cannot mix the two kinds. For mixed records the cluster's part is atomic; this node writes its part once
 * that is committed.
 */
import { Effect, Exit, Result } from "effect"
import { anonymous, type Caller } from "../Access/Caller.ts"
import { invariant } from "../Invariant.ts"
import type { Operation, Origin, Transact } from "../Machine/Command.ts"
import type { Accepted } from "../Machine/CommandResult.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import { type Begin, beginEffect, type Fork, flatMapOutcome, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
import { type Changed, type ChangeFailure, changed, type Reflected, Refused, reflected } from "./Changed.ts"
import { type DoneOperation, keep } from "./KeptParts.ts"
import { heldPart, type Parted, partOf } from "./MixedParts.ts"
import { beginAt, type Logs } from "./Submitting.ts"

/** One change of a transaction. It sees the changes before it. */
export interface TransactionChange {
  readonly descriptor: Descriptor
  readonly operation: Operation
}

/** The changes of a transaction, and the name of its entry. */
export interface Together extends Origin, Pick<Transact, "name"> {
  readonly changes: ReadonlyArray<TransactionChange>
}

/** The result of a transaction. */
export interface Transacted extends Reflected {
  /** One result for each change, in order. */
  readonly changes: ReadonlyArray<Changed>
  /** The index of its entry in the log that decided it. If nothing changed, the index that the answer reflects. */
  readonly index: number
  readonly isLocalPartLost: boolean
}

/** Makes transactions over both logs, without a fiber unless this node must write parts of mixed records (Settle.ts). */
export const make =
  (node: Logs, fork: Fork) =>
  ({ changes, ...asked }: Together): Begin<Transacted, ChangeFailure> =>
  (settle) => {
    const parted = partsOf(node, changes, asked.caller ?? anonymous)
    if (Result.isFailure(parted)) return settleNow(settle, Exit.fail(new Refused({ rejection: parted.failure })))
    const operations = parted.success.map(({ operation }) => operation)
    const command = { _tag: "Transact", operations, ...asked } as const
    const mode = changes[0]?.descriptor.mode ?? "replicated"
    const begin = beginAt(mode, node, command)
    const doneOf = ({ result }: Answered<Accepted>): ReadonlyArray<DoneOperation> => {
      const { operations } = result.answer
      invariant(operations.length === changes.length, "a transaction was answered with another number of operations")
      return operations.map((answer, at) => ({
        answer,
        descriptor: changes[at]!.descriptor,
        own: parted.success[at]!.own
      }))
    }
    if (!changes.some(({ descriptor }) => descriptor.mode === "mixed")) {
      return flatMapOutcome(begin, (done) => {
        const how = reflected(mode, done)
        const shown = doneOf(done).map(({ answer, descriptor }) => changed(descriptor, answer, how, undefined))
        return Exit.succeed(transacted(done, how, shown))
      })(settle)
    }
    const kept = Effect.flatMap(outcomeOf(begin), (done) => {
      const how = reflected(mode, done)
      return Effect.map(keep(node, doneOf(done), { ...how, origin: asked }), (shown) => transacted(done, how, shown))
    })
    return beginEffect(fork, kept, settle)
  }

/** Splits each change in the cluster's part and this node's, or refuses all. */
const partsOf = (
  node: Logs,
  changes: ReadonlyArray<TransactionChange>,
  caller: Caller
): Result.Result<ReadonlyArray<Parted<Operation>>, Rejection> => {
  const isLocal = changes[0]?.descriptor.mode === "local"
  const foreign = changes.findIndex(({ descriptor }) => (descriptor.mode === "local") !== isLocal)
  if (foreign >= 0) return Result.fail(mixedLogs(foreign))
  const parted: Array<Parted<Operation>> = []
  const named = new Set<string>()
  for (const [position, { descriptor, operation }] of changes.entries()) {
    if (descriptor.mode !== "mixed") {
      parted.push({ operation, own: undefined })
      continue
    }
    // Operations before it may change the record's part, so it is not known yet.
    const name = JSON.stringify([operation.model, operation.id])
    const held = named.has(name) ? undefined : heldPart(node, descriptor, operation, caller)
    named.add(name)
    const parts = partOf(descriptor, operation, held)
    if (Result.isFailure(parts)) return Result.fail({ ...parts.failure, operation: position })
    parted.push(parts.success)
  }
  return Result.succeed(parted)
}

const transacted = (
  { index, result }: Answered<Accepted>,
  how: Reflected,
  changes: ReadonlyArray<Changed>
): Transacted => ({
  ...how,
  changes,
  index: result.replayedIndex ?? index,
  isLocalPartLost: changes.some(({ isLocalPartLost }) => isLocalPartLost)
})

const mixedLogs = (operation: number): Rejection => ({
  _tag: "InvalidRequest",
  operation,
  errors: [{ path: "model", message: "A transaction cannot change local and replicated models together: split it" }]
})

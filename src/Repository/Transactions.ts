/**
 * Makes several changes, all or none, of replicated models or of node-local ones. One log decides them as one entry, so
 * a transaction cannot mix the two kinds. For mixed records the cluster's part is atomic; this node writes its part once
 * that is committed.
 */
import { Effect, Result } from "effect"
import { invariant } from "../Invariant.ts"
import type { Operation, Origin, Transact } from "../Machine/Command.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type Changed, type ChangeFailure, Refused } from "./Changed.ts"
import { keep } from "./KeptParts.ts"
import { heldPart, type Parted, partOf } from "./MixedParts.ts"
import { type Logs, replicate, submitLocal } from "./Submitting.ts"

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
export interface Transacted {
  /** One result for each change, in order. */
  readonly changes: ReadonlyArray<Changed>
  /** The index of its entry in the log that decided it. If nothing changed, the index that the answer reflects. */
  readonly index: number
  /** The index of the replicated log that the result reflects; undefined for this node's own data. */
  readonly logIndex: number | undefined
  readonly isLocalPartLost: boolean
  readonly isReplayed: boolean
}

/** Makes transactions over both logs. */
export const make =
  (node: Logs) =>
  ({ changes, ...asked }: Together): Effect.Effect<Transacted, ChangeFailure> =>
    Effect.gen(function* () {
      const [first] = changes
      const isLocal = first?.descriptor.mode === "local"
      const foreign = changes.findIndex(({ descriptor }) => (descriptor.mode === "local") !== isLocal)
      if (foreign >= 0) return yield* new Refused({ rejection: mixedLogs(foreign) })
      const parted: Array<Parted<Operation>> = []
      const named = new Set<string>()
      for (const [position, { descriptor, operation }] of changes.entries()) {
        // Operations before it may change the record's part, so it is not known yet.
        const name = JSON.stringify([operation.model, operation.id])
        const held = named.has(name) ? undefined : heldPart(node, descriptor, operation)
        named.add(name)
        const parts = partOf(descriptor, operation, held)
        if (Result.isFailure(parts)) {
          return yield* new Refused({ rejection: { ...parts.failure, operation: position } })
        }
        parted.push(parts.success)
      }
      const command = { _tag: "Transact", operations: parted.map(({ operation }) => operation), ...asked } as const
      const done = yield* isLocal ? submitLocal(node, command) : replicate(node, command)
      const { operations } = done.answer
      invariant(operations.length === changes.length, "a transaction was answered with another number of operations")
      const both = operations.map((answer, at) => ({
        answer,
        descriptor: changes[at]!.descriptor,
        own: parted[at]!.own
      }))
      const shown = yield* keep(node, both, { ...done, origin: asked })
      return {
        changes: shown,
        index: done.entryIndex,
        logIndex: done.logIndex,
        isLocalPartLost: shown.some(({ isLocalPartLost }) => isLocalPartLost),
        isReplayed: done.isReplayed
      }
    })

const mixedLogs = (operation: number): Rejection => ({
  _tag: "InvalidRequest",
  operation,
  errors: [{ path: "model", message: "A transaction cannot change local and replicated models together: split it" }]
})

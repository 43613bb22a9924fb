/**
 * Several changes that happen together or not at all, of records of any replicated models, or of node-local ones.
 * One log decides them as one entry: two logs have no moment in common (DESIGN D4). Of mixed records the cluster's part
 * is atomic; this node's part is kept once that is committed.
 */
import { Effect, Result } from "effect"
import type { LocalNode } from "../EventStore/LocalNode.ts"
import { invariant } from "../Invariant.ts"
import type { Operation, Origin, Transact } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Descriptor } from "../Model.ts"
import type { Member } from "../Raft/Member.ts"
import { type Changed, type ChangeFailure, Refused } from "./Changed.ts"
import { keep, type Parted, partOf } from "./MixedParts.ts"

/** One change of a transaction: each sees those before it. */
export interface TransactionChange {
  readonly descriptor: Descriptor
  readonly operation: Operation
}

/** Changes to be made together, and what their entry is called. */
export interface Together extends Origin, Pick<Transact, "name"> {
  readonly changes: ReadonlyArray<TransactionChange>
}

/** What a transaction came to. */
export interface Transacted {
  /** One for each change, in order. */
  readonly changes: ReadonlyArray<Changed>
  /** The index of its entry, in the log that decided it; where nothing changed, the index that the answer reflects. */
  readonly index: number
  /** The index of the replicated log that it reflects; undefined for this node's own data. */
  readonly logIndex: number | undefined
  readonly isLocalPartLost: boolean
  readonly isReplayed: boolean
}

/** Transactions of this node and its cluster. */
export const make =
  (node: { readonly member: Member["Service"]; readonly local: LocalNode["Service"] }) =>
  ({ changes, ...asked }: Together): Effect.Effect<Transacted, ChangeFailure> =>
    Effect.gen(function* () {
      const [first] = changes
      const isLocal = first?.descriptor.mode === "local"
      const foreign = changes.findIndex(({ descriptor }) => (descriptor.mode === "local") !== isLocal)
      if (foreign >= 0) return yield* new Refused({ rejection: mixedLogs(foreign) })
      const parted: Array<Parted<Operation>> = []
      for (const [position, { descriptor, operation }] of changes.entries()) {
        const parts = partOf(descriptor, operation)
        if (Result.isFailure(parts)) {
          return yield* new Refused({ rejection: { ...parts.failure, operation: position } })
        }
        parted.push(parts.success)
      }
      const command = { _tag: "Transact", operations: parted.map(({ operation }) => operation), ...asked } as const
      const { answer, index } = yield* isLocal ? node.local.submit(command) : node.member.submit(command)
      const logIndex = isLocal ? {} : { logIndex: index }
      const isReplayed = answer.replayedIndex !== undefined
      const done = yield* acceptedAll(answer, { ...logIndex, isReplayed })
      invariant(done.length === changes.length, "a transaction was answered with another number of operations")
      const creations = lastCreations(done)
      const shown = yield* Effect.forEach(
        done,
        (each, position) => {
          const { descriptor } = changes[position]!
          const own = position >= (creations.get(nameOf(each)) ?? 0) ? parted[position]?.own : undefined
          return keep(node.local, descriptor, { ...each, ...logIndex, isReplayed }, own)
        },
        // They wait for one sync; they are begun, and so written, in order.
        { concurrency: "unbounded" }
      )
      return {
        changes: shown,
        index: answer.replayedIndex ?? index,
        logIndex: isLocal ? undefined : index,
        isLocalPartLost: shown.some(({ isLocalPartLost }) => isLocalPartLost),
        isReplayed
      }
    })

const mixedLogs = (operation: number): Rejection => ({
  _tag: "InvalidRequest",
  operation,
  errors: [{ path: "model", message: "A model that is local is not changed together with one that is replicated" }]
})

const acceptedAll = (
  result: CommandResult,
  at: { readonly logIndex?: number; readonly isReplayed: boolean }
): Effect.Effect<ReadonlyArray<OperationAnswer>, Refused> =>
  result._tag === "Rejected"
    ? Effect.fail(new Refused({ rejection: result.rejection, ...at }))
    : Effect.succeed(result.answer.operations)

/**
 * By record, the position of its last creation. What came before it is of another record, which was deleted meanwhile,
 * by itself or with another: one that is created again in the same entry cannot be told from it by when it was created,
 * and must not show its local part.
 */
const lastCreations = (done: ReadonlyArray<OperationAnswer>): ReadonlyMap<string, number> =>
  new Map(
    done.flatMap((answer, position) => (answer.change === "created" ? [[nameOf(answer), position] as const] : []))
  )

const nameOf = ({ id, model }: { readonly id: string; readonly model: string }): string => JSON.stringify([model, id])

/**
 * The records of all models of one node, by name and in encoded form: what HTTP and the typed repositories stand on.
 * It knows where each part of a record lives; not how a client names it.
 */
import { Context, Data, Effect, Layer } from "effect"
import type { Operation, Origin } from "../Machine/Command.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { get, type Row, type Table } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model.ts"
import { Member } from "../Raft/Member.ts"
import type { NotDone, UnknownOutcome } from "../Raft/Outcome.ts"

/** A command was decided, and the decision is not to do it: nothing changed. */
export class Refused extends Data.TaggedError("Refused")<{ readonly rejection: Rejection }> {
  override get message(): string {
    return `The command was refused: ${this.rejection._tag}`
  }
}

/** What a change came to. `index` is of the replicated log. */
export interface Changed extends OperationAnswer {
  readonly logIndex: number
}

export class Records extends Context.Service<
  Records,
  {
    /** One change of one record. */
    readonly change: (
      descriptor: Descriptor,
      operation: Operation & Origin
    ) => Effect.Effect<Changed, Refused | NotDone | UnknownOutcome>
    /** A linearizable look at one record; undefined if there is none. */
    readonly get: (descriptor: Descriptor, id: string) => Effect.Effect<Row | undefined, NotDone>
    /** A linearizable look at all records of a model: to be read before anything else runs. */
    readonly table: (descriptor: Descriptor) => Effect.Effect<Table, NotDone>
  }
>()("lithair/Repository/Records") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  return Records.of({
    change: Effect.fnUntraced(function* (_descriptor, operation) {
      const { answer, index } = yield* member.submit(operation)
      if (answer._tag === "Rejected") return yield* new Refused({ rejection: answer.rejection })
      const [changed] = answer.answer.operations
      return changed === undefined ? yield* Effect.die("one operation, no answer") : { ...changed, logIndex: index }
    }),
    get: (descriptor, id) => Effect.map(member.readIndex, () => get(member.tables, descriptor.name, id)),
    table: (descriptor) =>
      Effect.flatMap(member.readIndex, () => {
        const table = member.tables.byModel.get(descriptor.name)
        return table === undefined ? Effect.die(`no table of ${descriptor.name}`) : Effect.succeed(table)
      })
  })
})

/** The records of the models that the member was given. */
export const layer: Layer.Layer<Records, never, Member> = Layer.effect(Records, make)

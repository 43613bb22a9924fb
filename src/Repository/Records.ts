/**
 * The records of all models of one node, by name and in encoded form. HTTP and the typed repositories use it. It knows
 * where each part of a record lives. A mixed record's local fields belong to the node that wrote them; it appends them
 * to its own log once the replicated change is committed.
 */
import { Context, Effect, Layer, Result } from "effect"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import type { ListSource } from "../Machine/List.ts"
import { showRow, type RecordUnreadable as Unreadable, unreadable } from "../Machine/ReadRow.ts"
import { get, type Table, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import {
  type Change,
  type Changed,
  type ChangeFailure,
  changed,
  type Shown,
  shown,
  withoutCondition
} from "./Changed.ts"
import * as Freshness from "./Freshness.ts"
import { collectParts } from "./LocalUpkeep.ts"
import * as MixedRecords from "./MixedRecords.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"
import { type Done, operationOf, replicate, submitLocal } from "./Submitting.ts"
import * as Transactions from "./Transactions.ts"

export { type Change, type Changed, type ChangeFailure, Refused, type Shown } from "./Changed.ts"
export type { Transacted, TransactionChange } from "./Transactions.ts"

/** The value of a read, and the index of the replicated log that it reflects. */
export interface Read<A> extends Freshness.Freshness {
  readonly value: A
  readonly logIndex: number
}

/** Reads and changes the encoded records of all models of this node. */
export class Records extends Context.Service<
  Records,
  {
    /** Makes one change of one record. */
    readonly change: (descriptor: Descriptor, change: Change) => Effect.Effect<Changed, ChangeFailure>
    /** Makes all changes or none. Each sees those before it. */
    readonly transact: (together: Transactions.Together) => Effect.Effect<Transactions.Transacted, ChangeFailure>
    /** Reads one record; undefined if there is none. Linearizable by default. A node's own data is always current. */
    readonly get: (
      descriptor: Descriptor,
      id: string,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, Freshness.ReadFailure | RecordUnreadable>
    /** All records of a model. Use them before any other code runs. */
    readonly source: (
      descriptor: Descriptor,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<ListSource>, Freshness.ReadFailure>
  }
>()("lithair/Repository/Records") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode
  const freshen = yield* Freshness.make(member)
  yield* Effect.forkScoped(collectParts({ member, local }))

  /** Adds the current index. Call it in the same go as the read. */
  const read = <A>(freshness: Freshness.Freshness, value: A): Read<A> => ({
    ...freshness,
    value,
    logIndex: member.node()?.appliedIndex() ?? 0
  })
  const readable = <A>(freshness: Freshness.Freshness, value: Result.Result<A, Unreadable>) =>
    Result.isSuccess(value)
      ? Effect.succeed(read(freshness, value.success))
      : Effect.fail(new RecordUnreadable(value.failure))
  const own = <A>(value: () => A) => Effect.sync(() => read({}, value()))

  const changeMixed = MixedRecords.make({ member, local })
  const oneOf =
    (descriptor: Descriptor) =>
    ({ answer, ...how }: Done): Changed =>
      changed(descriptor, { ...operationOf(answer), ...how }, undefined)

  const showOwn = (descriptor: Descriptor, id: string): Result.Result<Shown | undefined, Unreadable> => {
    const row = get(local.tables, descriptor.name, id)
    return row === undefined
      ? Result.succeed(undefined)
      : Result.map(Result.mapError(showRow(descriptor, row), unreadable({ model: descriptor.name, id })), (record) =>
          shown(record, row.version, undefined)
        )
  }

  return Records.of({
    change: (descriptor, change) => {
      switch (descriptor.mode) {
        case "local":
          return Effect.map(submitLocal({ member, local }, withoutCondition(change)), oneOf(descriptor))
        case "mixed":
          return changeMixed(descriptor, change)
        case "replicated":
          return Effect.map(replicate({ member, local }, withoutCondition(change)), oneOf(descriptor))
      }
    },
    transact: Transactions.make({ member, local }),
    get: (descriptor, id, consistency = Freshness.linearizable) =>
      descriptor.mode === "local"
        ? Effect.suspend(() => readable({}, showOwn(descriptor, id)))
        : Effect.flatMap(freshen(consistency), (freshness) =>
            readable(freshness, MixedRecords.show({ member, local }, descriptor, id))
          ),
    source: (descriptor, consistency = Freshness.linearizable) => {
      const { idField } = descriptor
      if (descriptor.mode === "local") return own(() => ({ table: tableOf(local.tables, descriptor), idField }))
      return Effect.map(freshen(consistency), (freshness) =>
        read(freshness, {
          table: tableOf(member.tables, descriptor),
          idField,
          ...localPartsOf(local.tables, descriptor)
        })
      )
    }
  })
})

/** Makes the service for the models that the member and the local node have. */
export const layer: Layer.Layer<Records, never, Member | LocalNode> = Layer.effect(Records, make)

const tableOf = (tables: Tables, { name }: Descriptor): Table => {
  const table = tables.byModel.get(name)
  invariant(table !== undefined, `model ${name} has no table`)
  return table
}

/** The parts that this node holds. The table does not exist before the first part. */
const localPartsOf = (tables: Tables, { name }: Descriptor): Pick<ListSource, "localParts"> => {
  const table = tables.byModel.get(name)
  return table === undefined ? {} : { localParts: table.localParts }
}

/**
 * The records of all models of one node, by name and in encoded form. HTTP and the typed repositories use it. It knows
 * where each part of a record lives. A mixed record's local fields belong to the node that wrote them; it appends them
 * to its own log once the replicated change is committed.
 */
import { Context, Effect, Exit, FiberSet, Layer, Result } from "effect"
import { Member } from "../Cluster/Member.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import type { ListSource } from "../Machine/List.ts"
import { showRow, type RecordUnreadable as Unreadable, unreadable } from "../Machine/ReadRow.ts"
import { get } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type Begin, beginEffect, flatMapOutcome, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
import {
  type Change,
  type Changed,
  type ChangeFailure,
  changed,
  reflected,
  type Shown,
  shown,
  withoutCondition
} from "./Changed.ts"
import * as Freshness from "./Freshness.ts"
import { collectParts } from "./LocalUpkeep.ts"
import * as MixedRecords from "./MixedRecords.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"
import { sourceOf } from "./Sources.ts"
import { beginAt, operationOf } from "./Submitting.ts"
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
    /** Makes one change of one record, without a fiber (Settle.ts). */
    readonly beginChange: (descriptor: Descriptor, change: Change) => Begin<Changed, ChangeFailure>
    /** {@link beginChange} as an Effect. */
    readonly change: (descriptor: Descriptor, change: Change) => Effect.Effect<Changed, ChangeFailure>
    /** Makes all changes or none. Each sees those before it. */
    readonly beginTransact: (together: Transactions.Together) => Begin<Transactions.Transacted, ChangeFailure>
    /** {@link beginTransact} as an Effect. */
    readonly transact: (together: Transactions.Together) => Effect.Effect<Transactions.Transacted, ChangeFailure>
    /** Reads one record; undefined if there is none. A node's own data is always current. */
    readonly beginGet: (
      descriptor: Descriptor,
      id: string,
      consistency: Freshness.Consistency
    ) => Begin<Read<Shown | undefined>, Freshness.ReadFailure | RecordUnreadable>
    /** {@link beginGet} as an Effect. Linearizable by default. */
    readonly get: (
      descriptor: Descriptor,
      id: string,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, Freshness.ReadFailure | RecordUnreadable>
    /** All records of a model. Use them at once, before any other code runs. */
    readonly beginSource: (
      descriptor: Descriptor,
      consistency: Freshness.Consistency
    ) => Begin<Read<ListSource>, Freshness.ReadFailure>
    /** {@link beginSource} as an Effect. */
    readonly source: (
      descriptor: Descriptor,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<ListSource>, Freshness.ReadFailure>
  }
>()("lithair/Repository/Records") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode
  const logs = { member, local }
  const { beginFreshen } = yield* Freshness.make(member)
  const fork = yield* FiberSet.makeRuntime<never>()
  yield* Effect.forkScoped(collectParts(logs))

  /** Adds the current index. Call it in the same go as the read. */
  const read = <A>(freshness: Freshness.Freshness, value: A): Read<A> => ({
    ...freshness,
    value,
    logIndex: member.node()?.appliedIndex() ?? 0
  })
  const changeMixed = MixedRecords.make(logs)
  const beginTransact = Transactions.make(logs, fork)

  const showOwn = (descriptor: Descriptor, id: string): Result.Result<Shown | undefined, Unreadable> => {
    const row = get(local.tables, descriptor.name, id)
    return row === undefined
      ? Result.succeed(undefined)
      : Result.map(Result.mapError(showRow(descriptor, row), unreadable({ model: descriptor.name, id })), (record) =>
          shown(descriptor, record, row.version, undefined)
        )
  }

  /** Reads once this node is as new as the read asks. Its own data always is. */
  const beginRead =
    <A, E = never>(
      { mode }: Descriptor,
      consistency: Freshness.Consistency,
      value: () => Exit.Exit<A, E>
    ): Begin<Read<A>, Freshness.ReadFailure | E> =>
    (settle) => {
      const readNow = (freshness: Freshness.Freshness) => Exit.map(value(), (found) => read(freshness, found))
      return mode === "local"
        ? settleNow(settle, readNow({}))
        : flatMapOutcome(beginFreshen(consistency), readNow)(settle)
    }

  const beginChange: Records["Service"]["beginChange"] = (descriptor, change) => (settle) => {
    const { mode } = descriptor
    if (mode === "mixed") return beginEffect(fork, changeMixed(descriptor, change), settle)
    return flatMapOutcome(beginAt(mode, logs, withoutCondition(change)), (done) =>
      Exit.succeed(changed(descriptor, operationOf(done), reflected(mode, done), undefined))
    )(settle)
  }
  const beginGet: Records["Service"]["beginGet"] = (descriptor, id, consistency) =>
    beginRead(descriptor, consistency, () => {
      const found = descriptor.mode === "local" ? showOwn(descriptor, id) : MixedRecords.show(logs, descriptor, id)
      return Result.isSuccess(found) ? Exit.succeed(found.success) : Exit.fail(new RecordUnreadable(found.failure))
    })
  const beginSource: Records["Service"]["beginSource"] = (descriptor, consistency) =>
    beginRead(descriptor, consistency, () => Exit.succeed(sourceOf(logs, descriptor)))

  return Records.of({
    beginChange,
    change: (descriptor, change) => outcomeOf(beginChange(descriptor, change)),
    beginTransact,
    transact: (together) => outcomeOf(beginTransact(together)),
    beginGet,
    get: (descriptor, id, consistency = Freshness.linearizable) => outcomeOf(beginGet(descriptor, id, consistency)),
    beginSource,
    source: (descriptor, consistency = Freshness.linearizable) => outcomeOf(beginSource(descriptor, consistency))
  })
})

/** Makes the service for the models that the member and the local node have. */
export const layer: Layer.Layer<Records, never, Member | LocalNode> = Layer.effect(Records, make)

/**
 * The records of all models of one node, by name and in encoded form. HTTP and the typed repositories use it. It knows
 * where each part of a record lives. A mixed record's local fields belong to the node that wrote them; it appends them
 * to its own log once the replicated change is committed.
 */
import { Clock, Context, Effect, Exit, FiberSet, Layer, Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import type { Folded } from "../Access/fold.ts"
import { Member } from "../Cluster/Member.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { sentBy } from "../Machine/Command.ts"
import type { ListSource } from "../Machine/List.ts"
import { showRow, type RecordUnreadable as Unreadable, unreadable } from "../Machine/ReadRow.ts"
import { unseenBy } from "../Machine/Seen.ts"
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
import * as Past from "./Past.ts"
import { type Read, type ReadFailure, readReach } from "./Reading.ts"
import type * as RecordHistory from "./RecordHistory.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"
import * as Sighted from "./Sighted.ts"
import { sourceOf } from "./Sources.ts"
import { beginAt, operationOf } from "./Submitting.ts"
import * as Transactions from "./Transactions.ts"

export { type Change, type Changed, type ChangeFailure, Refused, type Shown } from "./Changed.ts"
export type { PastFailure } from "./Past.ts"
export { AccessDenied, type Read, type ReadFailure } from "./Reading.ts"
export type { Transacted, TransactionChange } from "./Transactions.ts"

/** Reads and changes the encoded records of all models of this node, for a caller whose rights it enforces. */
export class Records extends Context.Service<
  Records,
  {
    /** Makes one change of one record, without a fiber (Settle.ts). */
    readonly beginChange: (caller: Caller, descriptor: Descriptor, change: Change) => Begin<Changed, ChangeFailure>
    /** {@link beginChange} as an Effect. */
    readonly change: (caller: Caller, descriptor: Descriptor, change: Change) => Effect.Effect<Changed, ChangeFailure>
    /** Makes all changes or none. Each sees those before it. */
    readonly beginTransact: (
      caller: Caller,
      together: Transactions.Together
    ) => Begin<Transactions.Transacted, ChangeFailure>
    /** {@link beginTransact} as an Effect. */
    readonly transact: (
      caller: Caller,
      together: Transactions.Together
    ) => Effect.Effect<Transactions.Transacted, ChangeFailure>
    /** Reads one record; undefined if there is none. A node's own data is always current. */
    readonly beginGet: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      consistency: Freshness.Consistency
    ) => Begin<Read<Shown | undefined>, ReadFailure | RecordUnreadable>
    /** {@link beginGet} as an Effect. Linearizable by default. */
    readonly get: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, ReadFailure | RecordUnreadable>
    /** Reads a page of a record's history, oldest first; undefined for an id that never was. */
    readonly beginHistory: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      asked: { readonly place: RecordHistory.Place; readonly limit: number },
      consistency: Freshness.Consistency
    ) => Begin<Read<RecordHistory.HistoryPage | undefined>, Past.PastFailure>
    /** {@link beginHistory} as an Effect. */
    readonly history: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      asked: { readonly place: RecordHistory.Place; readonly limit: number },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<RecordHistory.HistoryPage | undefined>, Past.PastFailure>
    /** Reads a record as it was; undefined if there was none then. It has no local fields. */
    readonly beginPast: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      moment: RecordHistory.Moment,
      consistency: Freshness.Consistency
    ) => Begin<Read<Shown | undefined>, Past.PastFailure>
    /** {@link beginPast} as an Effect. */
    readonly past: (
      caller: Caller,
      descriptor: Descriptor,
      id: string,
      moment: RecordHistory.Moment,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, Past.PastFailure>
    /**
     * All records of a model that the caller may read, with the fields that it sees. Use them at once, before any other
     * code runs.
     */
    readonly beginSource: (
      caller: Caller,
      descriptor: Descriptor,
      consistency: Freshness.Consistency
    ) => Begin<Read<ListSource>, ReadFailure>
    /** {@link beginSource} as an Effect. */
    readonly source: (
      caller: Caller,
      descriptor: Descriptor,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<ListSource>, ReadFailure>
  }
>()("lithair/Repository/Records") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode
  const logs = { member, local }
  const { beginFreshen } = yield* Freshness.make(member)
  const clock = yield* Clock.Clock
  const fork = yield* FiberSet.makeRuntime<never>()
  yield* Effect.forkScoped(collectParts(logs))
  member.erasing.join(local)

  /** Adds the current index. Call it in the same go as the read. */
  const read = <A>(freshness: Freshness.Freshness, value: A): Read<A> => ({
    ...freshness,
    value,
    logIndex: member.node()?.appliedIndex() ?? 0
  })
  const changeMixed = MixedRecords.make(logs)
  const transactTogether = Transactions.make(logs, fork)

  const showOwn = (descriptor: Descriptor, id: string): Result.Result<Shown | undefined, Unreadable> => {
    const row = get(local.tables, descriptor.name, id)
    return row === undefined
      ? Result.succeed(undefined)
      : Result.map(Result.mapError(showRow(descriptor, row), unreadable({ model: descriptor.name, id })), (record) =>
          shown(descriptor, record, row.version, undefined)
        )
  }

  const { policy } = member
  /** The fields of a model that the caller does not see: no answer has them. */
  const unseenOf = (caller: Caller, descriptor: Descriptor) => unseenBy(policy, caller, descriptor)
  const seenBy = <A extends Shown>(caller: Caller, descriptor: Descriptor, shown: A): A =>
    Sighted.seenBy({ policy, caller, descriptor }, shown)

  /** What the caller may read, on the tables as they are now. */
  const reachOf = (caller: Caller, descriptor: Descriptor) =>
    readReach(
      { policy: member.policy, tables: member.tables, nowMs: clock.currentTimeMillisUnsafe() },
      caller,
      descriptor
    )

  /**
   * Reads once this node is as new as the read asks, if the caller may. Its own data always is. What the caller may read
   * is found on the same tables.
   */
  const beginRead =
    <A, E = never>(
      caller: Caller,
      descriptor: Descriptor,
      consistency: Freshness.Consistency,
      value: (reach: Folded | undefined) => Exit.Exit<A, E>
    ): Begin<Read<A>, ReadFailure | E> =>
    (settle) => {
      const readNow = (freshness: Freshness.Freshness): Exit.Exit<Read<A>, ReadFailure | E> => {
        const reach = reachOf(caller, descriptor)
        return Result.isFailure(reach)
          ? Exit.fail(reach.failure)
          : Exit.map(value(reach.success), (found) => read(freshness, found))
      }
      return descriptor.mode === "local"
        ? settleNow(settle, readNow({}))
        : flatMapOutcome(beginFreshen(consistency), readNow)(settle)
    }

  const { history, past } = Past.make(logs, { beginRead, unseenOf })

  const beginChange: Records["Service"]["beginChange"] = (caller, descriptor, asked) => (settle) => {
    const { mode } = descriptor
    const change = sentBy(caller, asked, member.policy !== undefined)
    if (mode === "mixed") {
      const mixed = Effect.map(changeMixed(descriptor, change), (done) => seenBy(caller, descriptor, done))
      return beginEffect(fork, mixed, settle)
    }
    return flatMapOutcome(beginAt(mode, logs, withoutCondition(change)), (done) =>
      Exit.succeed(seenBy(caller, descriptor, changed(descriptor, operationOf(done), reflected(mode, done), undefined)))
    )(settle)
  }
  const beginTransact: Records["Service"]["beginTransact"] = (caller, together) =>
    flatMapOutcome(transactTogether(sentBy(caller, together, member.policy !== undefined)), (done) =>
      Exit.succeed({
        ...done,
        changes: done.changes.map((change, at) => seenBy(caller, together.changes[at]!.descriptor, change))
      })
    )
  const beginGet: Records["Service"]["beginGet"] = (caller, descriptor, id, consistency) =>
    beginRead(caller, descriptor, consistency, (reach) => {
      const found = descriptor.mode === "local" ? showOwn(descriptor, id) : MixedRecords.show(logs, descriptor, id)
      return Result.match(Sighted.seenRecord({ policy, caller, descriptor, reach }, id, found), {
        onFailure: (unread) => Exit.fail(new RecordUnreadable(unread)),
        onSuccess: (seen) => Exit.succeed(seen)
      })
    })
  const beginSource: Records["Service"]["beginSource"] = (caller, descriptor, consistency) =>
    beginRead(caller, descriptor, consistency, (reach) =>
      Exit.succeed(Sighted.seenSource({ policy, caller, descriptor, reach }, sourceOf(logs, descriptor)))
    )

  return Records.of({
    beginChange,
    change: (...asked) => outcomeOf(beginChange(...asked)),
    beginTransact,
    transact: (...asked) => outcomeOf(beginTransact(...asked)),
    beginGet,
    get: (caller, descriptor, id, consistency = Freshness.linearizable) =>
      outcomeOf(beginGet(caller, descriptor, id, consistency)),
    beginHistory:
      (...asked) =>
      (settle) =>
        beginEffect(fork, history(...asked), settle),
    history,
    beginPast:
      (...asked) =>
      (settle) =>
        beginEffect(fork, past(...asked), settle),
    past,
    beginSource,
    source: (caller, descriptor, consistency = Freshness.linearizable) =>
      outcomeOf(beginSource(caller, descriptor, consistency))
  })
})

/** Makes the service for the models that the member and the local node have. */
export const layer: Layer.Layer<Records, never, Member | LocalNode> = Layer.effect(Records, make)

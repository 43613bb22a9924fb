/**
 * The records of all models of one node, by name and in encoded form. HTTP and the typed repositories use it. It knows
 * where each part of a record lives. A mixed record's local fields belong to the node that wrote them; it appends them
 * to its own log once the replicated change is committed.
 */
import { Context, Effect, Exit, FiberSet, Layer, Result } from "effect"
import { Member } from "../Cluster/Member.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
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
import * as RecordHistory from "./RecordHistory.ts"
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

/** Why the past of a record cannot be read. */
export type PastFailure =
  | Freshness.ReadFailure
  | RecordUnreadable
  | RecordHistory.HistoryGone
  | RecordHistory.HistoryLong
  | RecordHistory.NotAPlace

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
    /** Reads a page of a record's history, oldest first; undefined for an id that never was. */
    readonly beginHistory: (
      descriptor: Descriptor,
      id: string,
      asked: { readonly place: RecordHistory.Place; readonly limit: number },
      consistency: Freshness.Consistency
    ) => Begin<Read<RecordHistory.HistoryPage | undefined>, PastFailure>
    /** {@link beginHistory} as an Effect. */
    readonly history: (
      descriptor: Descriptor,
      id: string,
      asked: { readonly place: RecordHistory.Place; readonly limit: number },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<RecordHistory.HistoryPage | undefined>, PastFailure>
    /** Reads a record as it was; undefined if there was none then. It has no local fields. */
    readonly beginPast: (
      descriptor: Descriptor,
      id: string,
      moment: RecordHistory.Moment,
      consistency: Freshness.Consistency
    ) => Begin<Read<Shown | undefined>, PastFailure>
    /** {@link beginPast} as an Effect. */
    readonly past: (
      descriptor: Descriptor,
      id: string,
      moment: RecordHistory.Moment,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, PastFailure>
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

  const pasts = {
    replicated: RecordHistory.make({
      entry: (index) => Effect.map(member.feed.entry(index), (found) => found?.transaction)
    }),
    local: RecordHistory.make({ entry: local.entry })
  }
  const pastOf = ({ mode }: Descriptor) => (mode === "local" ? pasts.local : pasts.replicated)
  const tablesOf = ({ mode }: Descriptor) => (mode === "local" ? local.tables : member.tables)

  const history: Records["Service"]["history"] = Effect.fnUntraced(function* (
    descriptor,
    id,
    asked,
    consistency = Freshness.linearizable
  ) {
    const newest = () => Exit.succeed(RecordHistory.newestOf(tablesOf(descriptor), descriptor, id))
    const found = yield* outcomeOf(beginRead(descriptor, consistency, newest))
    if (found.value === undefined) return { ...found, value: undefined }
    const page = pastOf(descriptor).page(descriptor, id, { ...asked, newest: found.value })
    return { ...found, value: yield* readable(page) }
  })

  const past: Records["Service"]["past"] = Effect.fnUntraced(function* (
    descriptor,
    id,
    moment,
    consistency = Freshness.linearizable
  ) {
    const newest = () => {
      const step = RecordHistory.newestOf(tablesOf(descriptor), descriptor, id)
      return Exit.succeed(
        step === undefined ? undefined : { step, row: get(tablesOf(descriptor), descriptor.name, id) }
      )
    }
    const { value, ...how } = yield* outcomeOf(beginRead(descriptor, consistency, newest))
    if (value === undefined) return { ...how, value: undefined }
    const { row, step } = value
    // The newest version is here, whatever is retained.
    if (row !== undefined && "version" in moment && moment.version === row.version) {
      const record = Result.mapError(showRow(descriptor, row), unreadable({ model: descriptor.name, id }))
      if (Result.isFailure(record)) return yield* new RecordUnreadable(record.failure)
      return { ...how, value: shown(descriptor, record.success, row.version, undefined) }
    }
    const then = yield* readable(pastOf(descriptor).at(descriptor, id, { moment, newest: step }))
    return { ...how, value: then === undefined ? undefined : shown(descriptor, then.record, then.version, undefined) }
  })

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
    beginHistory: (descriptor, id, asked, consistency) => (settle) =>
      beginEffect(fork, history(descriptor, id, asked, consistency), settle),
    history,
    beginPast: (descriptor, id, moment, consistency) => (settle) =>
      beginEffect(fork, past(descriptor, id, moment, consistency), settle),
    past,
    beginSource,
    source: (descriptor, consistency = Freshness.linearizable) => outcomeOf(beginSource(descriptor, consistency))
  })
})

/** Makes the service for the models that the member and the local node have. */
export const layer: Layer.Layer<Records, never, Member | LocalNode> = Layer.effect(Records, make)

/** A node that cannot read its log may end soon; another one can. No message names a file. */
const readable = <A>(
  effect: Effect.Effect<A, RecordHistory.HistoryFailure>
): Effect.Effect<A, Exclude<RecordHistory.HistoryFailure, LogFailed | LogCorrupt> | Freshness.NotCaughtUp> =>
  Effect.catchTags(effect, { LogFailed: () => Effect.fail(unread), LogCorrupt: () => Effect.fail(unread) })

const unread = new Freshness.NotCaughtUp({ message: "This node cannot read its log now: ask another node" })

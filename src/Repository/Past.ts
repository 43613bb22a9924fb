/**
 * The past of records for a caller: who may read a record now, or could when it was deleted, gets the versions that its rule
 * shows, without the fields that it does not see. RecordHistory.ts finds them.
 */
import { Effect, Exit, Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import type { Folded } from "../Access/fold.ts"
import type { Member } from "../Cluster/Member.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import { showRow, unreadable } from "../Machine/ReadRow.ts"
import { type Fields, without } from "../Machine/Seen.ts"
import { get } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { type Begin, outcomeOf } from "../Raft/node/Settle.ts"
import { type Shown, shown } from "./Changed.ts"
import * as Freshness from "./Freshness.ts"
import { isReadable, type Read, type ReadFailure } from "./Reading.ts"
import * as RecordHistory from "./RecordHistory.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"

/** Why the past of a record cannot be read. */
export type PastFailure =
  | ReadFailure
  | RecordUnreadable
  | RecordHistory.RecordErased
  | RecordHistory.HistoryGone
  | RecordHistory.HistoryLong
  | RecordHistory.NotAPlace

/** Reads of the past. */
export interface Pasts {
  readonly history: (
    caller: Caller,
    descriptor: Descriptor,
    id: string,
    asked: { readonly place: RecordHistory.Place; readonly limit: number },
    consistency?: Freshness.Consistency
  ) => Effect.Effect<Read<RecordHistory.HistoryPage | undefined>, PastFailure>
  readonly past: (
    caller: Caller,
    descriptor: Descriptor,
    id: string,
    moment: RecordHistory.Moment,
    consistency?: Freshness.Consistency
  ) => Effect.Effect<Read<Shown | undefined>, PastFailure>
}

/** How a read begins, and what its caller does not see. */
export interface Reads {
  readonly beginRead: <A, E = never>(
    caller: Caller,
    descriptor: Descriptor,
    consistency: Freshness.Consistency,
    value: (reach: Folded | undefined) => Exit.Exit<A, E>
  ) => Begin<Read<A>, ReadFailure | E>
  readonly unseenOf: (caller: Caller, descriptor: Descriptor) => Fields
}

/** Both logs of a node, as the past is read from them. */
export interface Logs {
  readonly local: Pick<LocalNode["Service"], "entry" | "tables">
  readonly member: Pick<Member["Service"], "tables"> & {
    readonly feed: Pick<Member["Service"]["feed"], "archived" | "entry">
  }
}

/** Reads the past from both logs of a node. */
export const make = ({ local, member }: Logs, { beginRead, unseenOf }: Reads): Pasts => {
  const pasts = {
    replicated: RecordHistory.make({
      entry: (index) => Effect.map(member.feed.entry(index), (found) => found?.transaction),
      archived: member.feed.archived
    }),
    local: RecordHistory.make({ entry: local.entry })
  }
  const pastOf = ({ mode }: Descriptor) => (mode === "local" ? pasts.local : pasts.replicated)
  const tablesOf = ({ mode }: Descriptor) => (mode === "local" ? local.tables : member.tables)

  const shownTo = (caller: Caller, descriptor: Descriptor, record: EncodedRecord, version: number): Shown =>
    shown(descriptor, without(unseenOf(caller, descriptor), record), version, undefined)

  /** The newest version of a record, deleted or not; undefined if this release cannot read it. */
  const lastOf = (descriptor: Descriptor, id: string, newest: RecordHistory.Step) => {
    const asked = { place: { afterVersion: newest.version - 1 }, limit: 1, newest, skipsUnreadable: true }
    return Effect.map(readable(pastOf(descriptor).page(descriptor, id, asked)), ({ items }) => items[0])
  }

  const history: Pasts["history"] = Effect.fnUntraced(function* (
    caller,
    descriptor,
    id,
    asked,
    consistency = Freshness.linearizable
  ) {
    const newest = (reach: Folded | undefined) =>
      Exit.succeed({ reach, step: RecordHistory.newestOf(tablesOf(descriptor), descriptor, id) })
    const found = yield* outcomeOf(beginRead(caller, descriptor, consistency, newest))
    const { reach, step } = found.value
    if (step === undefined) return { ...found, value: undefined }
    const unseen = unseenOf(caller, descriptor)
    const seen = (past: RecordHistory.Past): RecordHistory.Past =>
      past.record === undefined || unseen.length === 0 ? past : { ...past, record: without(unseen, past.record) }
    const skipsUnreadable = reach !== undefined
    const pageOf = (place: RecordHistory.Place, limit: number) =>
      readable(pastOf(descriptor).page(descriptor, id, { place, limit, newest: step, skipsUnreadable }))
    if (reach === undefined) {
      const page = yield* pageOf(asked.place, asked.limit)
      return { ...found, value: { ...page, items: page.items.map(seen) } }
    }
    const isSeen = ({ record }: RecordHistory.Past) =>
      record !== undefined && isReadable(reach, descriptor, { id, record })
    // The past of a record that the caller may not read now, or could not read when it was deleted, tells nothing.
    const last = yield* lastOf(descriptor, id, step)
    if (last === undefined || !isSeen(last)) return { ...found, value: undefined }
    const page = yield* pageOf(asked.place, asked.limit)
    const items = page.items.filter(isSeen)
    const isComplete = page.isComplete && items.length === page.items.length
    return { ...found, value: { ...page, items: items.map(seen), isComplete } }
  })

  const past: Pasts["past"] = Effect.fnUntraced(function* (
    caller,
    descriptor,
    id,
    moment,
    consistency = Freshness.linearizable
  ) {
    const newest = (reach: Folded | undefined) => {
      const step = RecordHistory.newestOf(tablesOf(descriptor), descriptor, id)
      return Exit.succeed(
        step === undefined ? undefined : { reach, step, row: get(tablesOf(descriptor), descriptor.name, id) }
      )
    }
    const { value, ...how } = yield* outcomeOf(beginRead(caller, descriptor, consistency, newest))
    if (value === undefined) return { ...how, value: undefined }
    const { reach, row, step } = value
    const current =
      row === undefined
        ? undefined
        : Result.mapError(showRow(descriptor, row), unreadable({ model: descriptor.name, id }))
    if (reach !== undefined) {
      // A caller who may not read the record now, or could not when it was deleted, may not read its past either.
      const last =
        current === undefined
          ? yield* lastOf(descriptor, id, step)
          : Result.getOrUndefined(Result.map(current, (record) => ({ record })))
      if (last?.record === undefined) return { ...how, value: undefined }
      if (!isReadable(reach, descriptor, { id, record: last.record })) return { ...how, value: undefined }
    }
    // The newest version is here, whatever is retained.
    if (row !== undefined && current !== undefined && "version" in moment && moment.version === row.version) {
      if (Result.isFailure(current)) return yield* new RecordUnreadable(current.failure)
      return { ...how, value: shownTo(caller, descriptor, current.success, row.version) }
    }
    const found = readable(pastOf(descriptor).at(descriptor, id, { moment, newest: step }))
    // A version that cannot be read cannot be judged either.
    const then = yield* reach === undefined
      ? found
      : Effect.catchTag(found, "RecordUnreadable", () => Effect.succeed(undefined))
    if (then === undefined || !isReadable(reach, descriptor, { id, record: then.record })) {
      return { ...how, value: undefined }
    }
    return { ...how, value: shownTo(caller, descriptor, then.record, then.version) }
  })

  return { history, past }
}

/** A node that cannot read its log may end soon; another one can. No message names a file. */
const readable = <A>(
  effect: Effect.Effect<A, RecordHistory.HistoryFailure>
): Effect.Effect<A, Exclude<RecordHistory.HistoryFailure, LogFailed | LogCorrupt> | Freshness.NotCaughtUp> =>
  Effect.catchTags(effect, { LogFailed: () => Effect.fail(unread), LogCorrupt: () => Effect.fail(unread) })

const unread = new Freshness.NotCaughtUp({ message: "This node cannot read its log now: ask another node" })

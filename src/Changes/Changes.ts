/**
 * Follows the committed changes of models, from any position of the log on, at the reader's own pace: it pulls them from
 * the log, from memory or from disk, so no reader slows a write. Between two reads it keeps only its position.
 */
import { Clock, Context, Effect, Layer, Result, type Scope } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import type { RecordUnreadable as Unreadable } from "../Machine/ReadRow.ts"
import { clone, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest, type Problem, problem } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import * as Freshness from "../Repository/Freshness.ts"
import { type Judging, notFollowed, readReach, spentCredential } from "../Repository/Reading.ts"
import { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { type Change, changesOf, type Entry, type Erased, type Followed } from "./Change.ts"
import { type FirstRecord, recordsAfter } from "./FirstState.ts"
import {
  formatPosition,
  groupOf,
  nextEntry,
  nothingShown,
  type Position,
  parsePosition,
  wholeIndex
} from "./Position.ts"
import type { Source } from "./Source.ts"
import * as Turns from "./Turns.ts"
import * as Wake from "./Wake.ts"

/** The payload that one read takes, unless a single entry has more. */
const pageMaxBytes = 32 * 1024
/** How often a silent stream looks whether its caller's credential still counts. */
const lookEveryMs = 1_000
/** The most changes or records of one step. A large entry is told in several. */
const stepMaxCount = 64
/** The most readers that are told a first state at once: it stays in memory until it is told. */
const firstStatesMaxCount = 64
/** How many entries that took several steps are kept for the followers that read them again. */
const keptMaxCount = 4

/** Says how far a follower is: it has seen all up to the position. */
export interface Bookmark {
  readonly _tag: "Bookmark"
  readonly position: Position
  /** The last entry that it has seen as a whole. */
  readonly index: number
  /** The greatest possible age of that state; undefined for a node's own log, or if no quorum has confirmed any. */
  readonly staleMs: number | undefined
  /** Whether the records of the first state end here. */
  readonly isInitialEnd: boolean
}

/** What a follower is told. */
export type Told = Change | Erased | FirstRecord | Bookmark

/** What to tell a follower. */
export interface Asked {
  /** Models in one log: any number of the cluster's, or one of the node's own. */
  readonly models: ReadonlyArray<Descriptor>
  /** The position after which to begin; from now on without it. */
  readonly after?: string | undefined
  /** Whether to tell all records of one state first. */
  readonly isInitial?: boolean
  /** The path at which to start over if the changes are gone. */
  readonly restart: string
}

/** A source, and the text of its positions. */
export interface Follow extends Source<Told> {
  readonly format: (position: Position) => string
}

/** Follows the changes of models. */
export class Changes extends Context.Service<
  Changes,
  {
    /**
     * Begins to follow, if the caller may read all records of the models, and ends when its credential does. Waits until
     * this node has what the position asks for. Fails if the position is malformed or within a first state of other
     * models, if its changes are gone, if no quorum answers, or if too many readers are told a first state. The scope ends
     * with the reader.
     */
    readonly follow: (caller: Caller, asked: Asked) => Effect.Effect<Follow, Problem, Scope.Scope>
  }
>()("lithair/Changes") {}

/** One of a node's two logs. */
interface Log {
  /** Whether positions name the directory, since no other node has this log. */
  readonly instance: string | undefined
  readonly tables: () => Tables
  readonly oldestIndex: () => number
  readonly appliedIndex: () => number
  /** Whether an index is a place in this log. */
  readonly isPlace: (index: number) => boolean
  readonly applied: (index: number) => Effect.Effect<void>
  readonly read: (range: {
    readonly fromIndex: number
    readonly maxBytes: number
  }) => Effect.Effect<ReadonlyArray<Entry>, LogFailed | LogCorrupt>
  /** Waits until everything is applied that was committed when this began. */
  readonly freshen: Effect.Effect<unknown, Freshness.ReadFailure>
  readonly staleMs: (index: number, nowMs: number) => number | undefined
}

/** The feed of a log. */
export type Entries = Pick<Log, "oldestIndex" | "appliedIndex" | "applied" | "isPlace" | "read">

/** The parts of a node that are followed. */
export interface Followable {
  readonly member: Parameters<typeof Freshness.make>[0] &
    Pick<Member["Service"], "self" | "tables"> &
    Partial<Pick<Member["Service"], "policy">> & { readonly feed: Entries }
  readonly local: Pick<LocalNode["Service"], "tables"> & { readonly feed: Entries }
}

/** Follows the logs of one node. */
export const make = Effect.fnUntraced(function* ({ local, member }: Followable) {
  const { freshen } = yield* Freshness.make(member)
  const inTurn = yield* Turns.make

  const cluster: Log = {
    ...(yield* reading(member.feed)),
    instance: undefined,
    tables: () => member.tables,
    freshen: freshen(Freshness.linearizable),
    staleMs: member.staleMs
  }
  const own: Log = {
    ...(yield* reading(local.feed)),
    instance: member.self.instanceId,
    tables: () => local.tables,
    freshen: Effect.void,
    staleMs: () => undefined
  }

  let firstStatesCount = 0
  /** Takes a place among the readers of a first state. Returns how to leave it before the scope closes. */
  const enterFirstState = Effect.gen(function* () {
    if (firstStatesCount >= firstStatesMaxCount) return yield* Effect.fail(tooManyStates)
    firstStatesCount += 1
    let isIn = true
    const leave = Effect.sync(() => {
      if (isIn) firstStatesCount -= 1
      isIn = false
    })
    yield* Effect.addFinalizer(() => leave)
    return leave
  })

  const judging = Effect.map(
    Clock.currentTimeMillis,
    (nowMs): Judging => ({ policy: member.policy, tables: member.tables, nowMs })
  )
  const mayFollow = Effect.fnUntraced(function* (caller: Caller, models: Asked["models"]) {
    const now = yield* judging
    for (const model of models) {
      const reach = readReach(now, caller, model)
      if (Result.isFailure(reach)) return yield* Effect.fail(reach.failure.toProblem())
      if (reach.success !== undefined) return yield* Effect.fail(notFollowed(model.name).toProblem())
    }
  })
  const counts = (caller: Caller): Effect.Effect<void, Problem> =>
    Effect.flatMap(judging, (now) => {
      const denied = spentCredential(now, caller)
      return denied === undefined ? Effect.void : Effect.fail(denied.toProblem())
    })

  /** Waits until the caller's credential counts no more, so that a silent stream ends too. */
  const untilSpent = (caller: Caller): Effect.Effect<void> =>
    member.policy === undefined || caller._tag !== "Principal"
      ? Effect.never
      : Effect.gen(function* () {
          while (spentCredential(yield* judging, caller) === undefined) yield* Effect.sleep(lookEveryMs)
        })

  const follow = Effect.fnUntraced(function* (caller: Caller, { after, isInitial = false, models, restart }: Asked) {
    const log = models[0]?.mode === "local" ? own : cluster
    const followed: Followed = new Map(models.map((descriptor) => [descriptor.name, descriptor]))
    const gone = goneFrom(log, restart)
    const group = groupOf(models)
    const read = (range: Parameters<Log["read"]>[0]) =>
      Effect.catch(log.read(range), (failure) => unread(failure, gone))

    // Who may not follow waits for nothing, and does not learn how far the log goes.
    yield* mayFollow(caller, models)
    let position = yield* begin(log, { after, isInitial, group }, gone)
    // The tables are as new now as what is told.
    yield* mayFollow(caller, models)
    const told = position.shown === undefined ? Effect.void : yield* enterFirstState
    /** The first state, until all of its records are told. */
    let state = position.shown === undefined ? undefined : { tables: clone(log.tables()), index: log.appliedIndex() }
    if (state !== undefined && after === undefined) position = { index: state.index, shown: nothingShown(group) }
    const isBehind = () => nextEntry(position) <= (state?.index ?? log.appliedIndex())
    if (isBehind()) yield* read({ fromIndex: nextEntry(position), maxBytes: 1 })

    const bookmark = Effect.map(monotonicMs, (nowMs) => bookmarkOf(log.staleMs(wholeIndex(position), nowMs), false))
    const bookmarkOf = (staleMs: number | undefined, isInitialEnd: boolean): Bookmark => ({
      _tag: "Bookmark",
      position,
      index: wholeIndex(position),
      staleMs,
      isInitialEnd
    })

    const changes = Effect.gen(function* () {
      const entries = yield* read({ fromIndex: nextEntry(position), maxBytes: pageMaxBytes })
      const upTo = state === undefined ? entries : entries.filter(({ index }) => index <= state!.index)
      const found = yield* readable(changesOf(followed, { entries: upTo, from: position, maxCount: stepMaxCount }))
      position = found.position
      return found.changes
    })
    /** Tells the records after those that were told, and then where they end. */
    const records = (of: NonNullable<typeof state>) =>
      Effect.gen(function* () {
        const step = { after: position.shown ?? nothingShown(group), maxCount: stepMaxCount }
        const found = yield* readable(recordsAfter(followed, of, step))
        position = found.records.at(-1)?.position ?? position
        if (!found.isWhole) return found.records
        state = undefined
        position = { index: of.index }
        yield* told
        return [...found.records, bookmarkOf(log.staleMs(of.index, yield* monotonicMs), true)]
      })

    const step = Effect.suspend(
      (): Effect.Effect<ReadonlyArray<Told>, Problem> => (state === undefined || isBehind() ? changes : records(state))
    )
    return {
      format: (at: Position) => formatPosition(at, log.instance),
      isReady: () => state !== undefined || isBehind(),
      ready: Effect.raceFirst(
        Effect.suspend(() => (state === undefined ? log.applied(nextEntry(position)) : Effect.void)),
        untilSpent(caller)
      ),
      // After the step: nothing that came after a revocation is told.
      take: Effect.andThen(
        Effect.tap(inTurn(step), () => counts(caller)),
        (told) => Effect.as(Effect.yieldNow, told)
      ),
      bookmark,
      confirm: Effect.ignore(log.freshen)
    }
  })
  return Changes.of({ follow })
})

/** Follows the logs of a node. */
export const layer: Layer.Layer<Changes, never, Member | LocalNode> = Layer.effect(
  Changes,
  Effect.gen(function* () {
    return yield* make({ member: yield* Member, local: yield* LocalNode })
  })
)

type Gone = Effect.Effect<never, Problem>

/** Waits until this node has what a follower asks for, and gives the position after which it begins. */
const begin = Effect.fnUntraced(function* (
  log: Log,
  {
    after,
    group,
    isInitial
  }: { readonly after: string | undefined; readonly isInitial: boolean; readonly group: string },
  gone: Gone
): Effect.fn.Return<Position, Problem> {
  const parsed = after === undefined ? undefined : parsePosition(after)
  if (after !== undefined && parsed === undefined) return yield* Effect.fail(malformed)
  const position = parsed?.position
  if (position?.shown !== undefined && position.shown.group !== group) return yield* Effect.fail(ofOthers)
  if (position === undefined || position.shown !== undefined || position.index > log.appliedIndex()) {
    yield* Effect.mapError(log.freshen, (failure) => failure.toProblem())
  }
  const index = log.appliedIndex()
  if (position === undefined) return isInitial ? { index, shown: nothingShown(group) } : { index }
  const isHere = parsed?.instance === log.instance && position.index <= index && log.isPlace(position.index)
  return isHere ? position : yield* gone
})

/** Says from where on the log can be read. */
const goneFrom = (log: Log, restart: string): Gone =>
  Effect.suspend(() => Effect.fail(changesGone({ oldestIndex: log.oldestIndex(), restart })))

/** Reads entries. Those that a follower reads in several steps are kept, since others may read them too. */
const reading = Effect.fnUntraced(function* ({ read: readFeed, ...feed }: Entries) {
  const applied = yield* Wake.make(feed)
  const kept = new Map<number, Entry>()
  const read: Log["read"] = (range) =>
    Effect.suspend(() => {
      const known = kept.get(range.fromIndex)
      if (known !== undefined) return Effect.succeed([known])
      return Effect.tap(readFeed(range), ([entry]) =>
        Effect.sync(() => {
          if (entry === undefined || (entry.transaction?.events.length ?? 0) <= stepMaxCount) return
          kept.set(entry.index, entry)
          for (const index of kept.keys()) if (kept.size > keptMaxCount) kept.delete(index)
        })
      )
    })
  return { ...feed, applied, read }
})

const readable = <A>(result: Result.Result<A, Unreadable>): Effect.Effect<A, Problem> =>
  Effect.fromResult(Result.mapError(result, (met) => new RecordUnreadable(met).toProblem()))

const unread = (failure: LogFailed | LogCorrupt, gone: Gone): Effect.Effect<never, Problem> =>
  failure._tag === "LogFailed" && failure.reason === "compacted"
    ? gone
    : Effect.andThen(
        Effect.logError("Cannot read changes from the log", failure),
        Effect.fail(problem("internal", "The node cannot read its log: see its log, and ask another node", {}))
      )

const malformed = invalidRequest("The position is malformed: send the id of an event", [
  { path: "after", message: "takes the id of an event" }
])

const ofOthers = invalidRequest("The position is within a first state of other models: begin again without it", [
  { path: "after", message: "is within a first state of other models" }
])

const tooManyStates = problem("overloaded", "Too many readers are being sent all records: try again later", {
  definite: true
})

const changesGone = (members: { readonly oldestIndex: number; readonly restart: string }): Problem =>
  problem(
    "changes-gone",
    `These changes are not in the log, which has those from entry ${members.oldestIndex} on: start over at ${members.restart}`,
    members
  )

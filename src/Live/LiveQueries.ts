/**
 * The live queries of one node. One follower hears of all records that change here, in either log, and evaluates them for
 * all queries (Engine.ts). Its work and the messages of all streams have a pace, so that writes cost little more than
 * without them, however many there are. docs/decisions/0015-live-queries.md.
 */
import { Clock, Context, Effect, Layer, Result, type Scope } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { apiKeyModel, guardOf } from "../Machine/Guard.ts"
import type { Watcher } from "../Machine/Watcher.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { draining } from "../Raft/node/Outcome.ts"
import * as Freshness from "../Repository/Freshness.ts"
import { type Judging, spentCredential } from "../Repository/Reading.ts"
import { sourceOf } from "../Repository/Sources.ts"
import {
  bookmarkEveryMs,
  confirmMaxMs,
  restMaxMs,
  restsPerWork,
  sendEveryMinMs,
  sendsPerSecondMax,
  sliceMs,
  streamsMaxCount
} from "./Bounds.ts"
import * as Engine from "./Engine.ts"
import { failureOf, LiveBroken, type LiveFailure, overloaded } from "./LiveFailure.ts"
import { identityOf, type LiveRequest } from "./LiveRequest.ts"
import * as Reach from "./Reach.ts"
import type { Update } from "./Update.ts"

/** What came for one query of a stream: an update, or why the query ended. Others of the stream go on. */
export interface LiveMessage {
  /** The position of the query in what was asked. */
  readonly query: number
  readonly message: Update | { readonly _tag: "End"; readonly failure: LiveFailure }
}

/** All that came for a stream; without messages, how far its pages are. */
export interface LiveNews {
  /** Every page of the stream reflects the replicated log up to this index at least. */
  readonly index: number
  /** The greatest possible age of the pages, in ms; undefined for a node's own data. */
  readonly staleMs: number | undefined
  readonly messages: ReadonlyArray<LiveMessage>
}

/** An open stream of live queries. */
export interface LiveStream {
  /**
   * Waits until something came, 10 s at most, and takes it. While nobody takes, changes gather. The first time it has
   * the page of each query. Fails with the reason once the stream ends.
   */
  readonly take: Effect.Effect<LiveNews, LiveFailure>
}

/** The live queries of one node. */
export class LiveQueries extends Context.Service<
  LiveQueries,
  {
    /**
     * Opens a stream until the scope closes, or the caller's credential counts no more. A page has the records that the
     * caller may read; if that changes with a set of the caller, the whole page comes again. The first pages are as new as
     * the consistency asks, and reflect the replicated log through `minIndex` at least. Later, a page is as new as this
     * node is, and a local read's bound on its age holds. Fails if the node cannot read now, or has too many streams, or
     * refuses every query. If it refuses some, their ends come with the first pages.
     */
    readonly open: (
      caller: Caller,
      requests: ReadonlyArray<LiveRequest>,
      options: { readonly consistency: Freshness.Consistency; readonly minIndex: number }
    ) => Effect.Effect<LiveStream, LiveFailure, Scope.Scope>
    /** The queries that are open, and their memory, for metrics. */
    readonly status: () => { readonly queriesCount: number; readonly bytes: number }
  }
>()("lithair/Live/LiveQueries") {}

/** A reader, and the query that it reads as its caller may ask it. */
interface Opened extends Engine.Reader {
  readonly identity: string
}

/** When the credential of a caller expires, in ms since the epoch. */
const lifeOf = (caller: Caller): number =>
  (caller._tag === "Principal" ? caller.expiresMs : undefined) ?? Number.POSITIVE_INFINITY

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode
  const clock = yield* Clock.Clock
  const { freshen } = yield* Freshness.make(member)
  const nowMs = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const appliedIndex = (): number => Math.max(member.node()?.appliedIndex() ?? 0, member.tables.index)
  const engine = Engine.make(
    (descriptor) => ({ source: sourceOf({ member, local }, descriptor), index: appliedIndex() }),
    appliedIndex
  )
  const dirtied = Condition.make()
  const wakes = new Set<() => void>()
  let broken: LiveBroken | undefined

  /** The models whose records say what a caller may read: the keys of callers, and the sources of their sets. */
  const rightsModels = new Set([apiKeyModel, ...Array.from(member.policy?.sets.values() ?? [], ({ model }) => model)])
  /** How often one of them has changed. Streams whose callers may depend on it look again. */
  let rightsAt = 0
  const rightsWakes = new Set<() => void>()
  const rightsChanged = (): void => {
    rightsAt += 1
    for (const wake of rightsWakes) wake()
  }

  const watcher: Watcher = {
    touched: (model, id) => {
      if (engine.touch(model, id)) dirtied.changed()
      if (rightsModels.has(model)) rightsChanged()
    },
    replaced: () => {
      engine.touchAll()
      dirtied.changed()
      rightsChanged()
    }
  }
  const unwatch = [member.watch(watcher), local.watch(watcher)]
  yield* Effect.addFinalizer(() => Effect.sync(() => unwatch.forEach((end) => void end())))

  const evaluate = Effect.gen(function* () {
    yield* dirtied.until(engine.isDirty)
    const evaluation = engine.evaluate()
    for (let isDone = false; !isDone; ) {
      const beganMs = nowMs()
      do isDone = evaluation.next().done === true
      while (!isDone && nowMs() - beganMs < sliceMs)
      yield* Effect.sleep(Math.min(restMaxMs, Math.max(1, restsPerWork * (nowMs() - beganMs))))
    }
  })
  const wakeAll = Effect.sync(() => {
    for (const wake of wakes) wake()
  })
  yield* Effect.forever(evaluate).pipe(
    // This does not catch the fiber's own interruption.
    Effect.catchCause((cause) =>
      Effect.logError("Live queries failed with a defect, and end", cause).pipe(
        Effect.andThen(
          Effect.sync(() => {
            broken = new LiveBroken({ message: "The live queries of this node have failed: ask another node" })
          })
        ),
        Effect.andThen(wakeAll)
      )
    ),
    Effect.forkScoped
  )

  /** Why no stream goes on, but for the failures of {@link Freshness}. A client that hears it in time moves on at once. */
  const refused = (): LiveFailure | undefined =>
    broken ?? (member.isDraining() || member.isStopping() ? draining : undefined)
  const told = Effect.andThen(
    member.until(() => member.isRemoved() || refused() !== undefined),
    wakeAll
  )
  yield* Effect.forkScoped(told)

  const judging = (): Judging => ({
    policy: member.policy,
    tables: member.tables,
    nowMs: clock.currentTimeMillisUnsafe()
  })

  const sendEveryMs = (): number => Math.max(sendEveryMinMs, (wakes.size * 1000) / sendsPerSecondMax)

  /** A bookmark says how old the pages may be, and without writes nobody else asks a quorum. */
  const confirmed = Effect.ignore(Effect.timeoutOption(freshen({ _tag: "Local", staleMaxMs: 0 }), confirmMaxMs))

  const open: LiveQueries["Service"]["open"] = Effect.fnUntraced(function* (caller, asked, { consistency, minIndex }) {
    const isOfNode = asked.every(({ descriptor }) => descriptor.mode === "local")
    const refusal = refused()
    if (refusal !== undefined) return yield* refusal
    if (wakes.size >= streamsMaxCount) {
      return yield* overloaded(`This node has ${streamsMaxCount} streams of live queries already: try again later`)
    }
    const bell = Condition.make()
    let isRung = true
    const wake = (): void => {
      isRung = true
      bell.changed()
    }
    wakes.add(wake)
    const guard = guardOf(member.policy, caller)
    if (guard !== undefined) rightsWakes.add(wake)
    const endMs = guard === undefined ? Number.POSITIVE_INFINITY : lifeOf(guard.caller)
    const readers: Array<Opened | undefined> = []
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        wakes.delete(wake)
        rightsWakes.delete(wake)
        for (const reader of readers) reader?.close()
      })
    )
    if (!isOfNode && minIndex > 0) yield* freshen({ _tag: "Session", minIndex })
    if (!isOfNode) yield* freshen(consistency)
    const openReader = (request: LiveRequest): Result.Result<Opened, LiveFailure> =>
      Result.flatMap(Reach.restricted(judging(), caller, request), (restricted) =>
        Result.mapBoth(engine.open(restricted, wake), {
          onFailure: failureOf,
          onSuccess: (reader): Opened => ({ ...reader, identity: identityOf(restricted) })
        })
      )

    const refusals: Array<LiveMessage> = []
    let firstRefusal: LiveFailure | undefined
    let seenRightsAt = rightsAt
    for (const [query, request] of asked.entries()) {
      const opened = openReader(request)
      readers.push(Result.getOrUndefined(opened))
      if (Result.isFailure(opened)) {
        const failure: LiveFailure = opened.failure
        firstRefusal ??= failure
        refusals.push({ query, message: { _tag: "End", failure } })
      }
      // A list may take long.
      yield* Effect.yieldNow
    }
    if (firstRefusal !== undefined && refusals.length === asked.length) return yield* firstRefusal

    let index = 0
    let sentMs = Number.NEGATIVE_INFINITY
    /**
     * Opens the queries again whose caller may read other records now. Returns the ends of those that it may not ask
     * any more.
     */
    const readjust = (): ReadonlyArray<LiveMessage> => {
      if (seenRightsAt === rightsAt) return []
      seenRightsAt = rightsAt
      return asked.flatMap((request, query): ReadonlyArray<LiveMessage> => {
        const reader = readers[query]
        if (reader === undefined || !Reach.hasSets(request.descriptor)) return []
        const restricted = Reach.restricted(judging(), caller, request)
        if (Result.isSuccess(restricted) && identityOf(restricted.success) === reader.identity) return []
        reader.close()
        const opened = openReader(request)
        readers[query] = Result.getOrUndefined(opened)
        return Result.isFailure(opened) ? [{ query, message: { _tag: "End", failure: opened.failure } }] : []
      })
    }
    const ageing: Freshness.Consistency = consistency._tag === "Local" ? consistency : { _tag: "Local" }
    const collect = (): ReadonlyArray<LiveMessage> =>
      readers.flatMap((reader, query): ReadonlyArray<LiveMessage> => {
        const next = reader?.next()
        if (next === undefined) return []
        if (next._tag === "Page" || next._tag === "Diff") return [{ query, message: next }]
        reader?.close()
        readers[query] = undefined
        return [{ query, message: { _tag: "End", failure: failureOf(next) } }]
      })

    return {
      take: Effect.gen(function* () {
        const untilMs = nowMs() + bookmarkEveryMs
        for (;;) {
          const leftMs = Math.min(untilMs - nowMs(), endMs - clock.currentTimeMillisUnsafe())
          yield* Effect.timeoutOption(
            bell.until(() => isRung),
            // A whole ms: a clock that a test moves would not get past a part of a nanosecond.
            Math.max(0, Math.ceil(leftMs))
          )
          const earlyMs = sentMs + sendEveryMs() - nowMs()
          if (earlyMs > 0) yield* Effect.sleep(earlyMs)
          const refusal = refused()
          if (refusal !== undefined) return yield* refusal
          if (!isOfNode && nowMs() >= untilMs) yield* confirmed
          const { staleMs } = isOfNode ? {} : yield* freshen(ageing)
          // After all waits: nothing that came after a revocation is told.
          const denied = spentCredential(judging(), caller)
          if (denied !== undefined) return yield* denied
          isRung = false
          const messages = [...refusals.splice(0), ...readjust(), ...collect()]
          if (messages.length === 0 && nowMs() < untilMs) continue
          index = Math.max(index, engine.index())
          sentMs = nowMs()
          return { index, staleMs, messages }
        }
      })
    }
  })

  return LiveQueries.of({
    open,
    status: () => ({ queriesCount: engine.readersCount(), bytes: engine.bytes() })
  })
})

/** Follows the applied entries of the node's two logs for its live queries. */
export const layer: Layer.Layer<LiveQueries, never, Member | LocalNode> = Layer.effect(LiveQueries, make)

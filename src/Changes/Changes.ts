/**
 * Follows the committed changes of models, from any position of the log on, at the reader's own pace: it pulls them from
 * the log, from memory or from disk, so no reader slows a write. Between two reads it keeps only its position. A reader is
 * told what its caller may read, as it is when that is told (Follower.ts).
 */
import { Clock, Context, Effect, Layer, Result, type Scope } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { lastErasure } from "../Machine/Erasure.ts"
import { guardOf } from "../Machine/Guard.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest, type Problem, problem } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import * as Freshness from "../Repository/Freshness.ts"
import { type Judging, spentCredential } from "../Repository/Reading.ts"
import * as Follower from "./Follower.ts"
import * as Formers from "./Formers.ts"
import { type Entries, type Log, reading } from "./Log.ts"
import { formatPosition, groupOf, nothingShown, type Position, parsePosition, wholeIndex } from "./Position.ts"
import type { Source } from "./Source.ts"
import * as Turns from "./Turns.ts"
import { continues, type View, viewOf } from "./View.ts"

/** The most readers that are told a state of their own at once: it stays in memory until it is told. */
const statesMaxCount = 64
/** A timer takes no more than some 24 days. */
const sleepMaxMs = 24 * 60 * 60 * 1_000

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
export type Told = Follower.Step | Bookmark

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
     * Begins to follow, if the caller may read records of each of the models, and ends when it may not any more or when its
     * credential ends. Waits until this node has what the position asks for. Fails if the position is malformed or within a
     * first state of other models, if its changes are gone or its reader may read other records now, if no quorum answers,
     * or if too many readers are told a state. The scope ends with the reader.
     */
    readonly follow: (caller: Caller, asked: Asked) => Effect.Effect<Follow, Problem, Scope.Scope>
  }
>()("lithair/Changes") {}

/** The parts of a node that are followed. */
export interface Followable {
  readonly member: Parameters<typeof Freshness.make>[0] &
    Pick<Member["Service"], "self" | "tables"> &
    Partial<Pick<Member["Service"], "policy">> & {
      readonly feed: Entries & Pick<Member["Service"]["feed"], "entry">
    }
  readonly local: Pick<LocalNode["Service"], "tables" | "entry" | "erasedThrough"> & { readonly feed: Entries }
}

/** Follows the logs of one node. */
export const make = Effect.fnUntraced(function* ({ local, member }: Followable) {
  const { freshen } = yield* Freshness.make(member)
  const inTurn = yield* Turns.make
  const clock = yield* Clock.Clock

  const cluster: Log = {
    ...(yield* reading(member.feed, () => lastErasure(member.tables))),
    instance: undefined,
    tables: () => member.tables,
    findFormer: Formers.make((index) => Effect.map(member.feed.entry(index), (found) => found?.transaction)),
    freshen: freshen(Freshness.linearizable),
    staleMs: member.staleMs
  }
  const own: Log = {
    ...(yield* reading(local.feed, local.erasedThrough)),
    instance: member.self.instanceId,
    tables: () => local.tables,
    findFormer: Formers.make(local.entry),
    freshen: Effect.void,
    staleMs: () => undefined
  }

  let statesCount = 0
  /** Takes a place among the readers of a state. Returns how to leave it before the scope closes. */
  const enterState = Effect.gen(function* () {
    if (statesCount >= statesMaxCount) return yield* Effect.fail(tooManyStates)
    statesCount += 1
    let isIn = true
    return Effect.sync(() => {
      if (isIn) statesCount -= 1
      isIn = false
    })
  })

  const judging = (): Judging => ({
    policy: member.policy,
    tables: member.tables,
    nowMs: clock.currentTimeMillisUnsafe()
  })
  const isSpent = (caller: Caller): boolean => spentCredential(judging(), caller) !== undefined

  /** Waits until the caller's credential counts no more, so that a silent stream ends too: by its time, or by an entry. */
  const untilSpent = (caller: Caller, log: Log): Effect.Effect<void> => {
    if (member.policy === undefined || caller._tag !== "Principal") return Effect.never
    const { apiKey, expiresMs } = caller
    const expired = Effect.gen(function* () {
      if (expiresMs === undefined) return yield* Effect.never
      while (!isSpent(caller)) {
        yield* Effect.sleep(Math.min(sleepMaxMs, Math.max(1, expiresMs - clock.currentTimeMillisUnsafe())))
      }
    })
    // Each entry of the cluster's log wakes the followers of that log by itself.
    const revoked = Effect.gen(function* () {
      if (apiKey === undefined || log === cluster) return yield* Effect.never
      while (!isSpent(caller)) yield* cluster.applied(cluster.appliedIndex() + 1)
    })
    return Effect.raceFirst(expired, revoked)
  }

  /** What the caller may be told now. */
  const viewer = (caller: Caller, models: Asked["models"]): (() => Result.Result<View, Problem>) => {
    const view = () => Result.mapError(viewOf(judging(), caller, models), (denied) => denied.toProblem())
    if (guardOf(member.policy, caller) !== undefined) return view
    const always = view()
    return () => always
  }

  const follow = Effect.fnUntraced(function* (caller: Caller, { after, isInitial = false, models, restart }: Asked) {
    const log = models[0]?.mode === "local" ? own : cluster
    const group = groupOf(models)
    const gone = (why: Follower.Gone): Problem => goneBecause(why, { oldestIndex: log.oldestIndex(), restart })
    const viewNow = viewer(caller, models)

    // Who may not follow waits for nothing, and does not learn how far the log goes.
    yield* Effect.fromResult(viewNow())
    const position = yield* begin(log, { after, isInitial, group }, gone)
    // The tables are as new now as what is told.
    const view = yield* Effect.fromResult(viewNow())
    if (after !== undefined && !continues(view, position)) return yield* Effect.fail(gone("view"))
    const isNewState = after === undefined && isInitial
    // A follower holds one state at a time, and many in its life.
    let leave: Effect.Effect<void> = Effect.void
    yield* Effect.addFinalizer(() => leave)
    const enter = Effect.map(enterState, (entered) => {
      leave = entered
      return entered
    })
    const follower = yield* Follower.make({
      log,
      group,
      view,
      position,
      isNewState,
      viewNow,
      gone,
      enterState: enter
    })

    const bookmarkOf = (staleMs: number | undefined, isInitialEnd: boolean): Bookmark => ({
      _tag: "Bookmark",
      position: follower.position(),
      index: wholeIndex(follower.position()),
      staleMs,
      isInitialEnd
    })
    const bookmark = Effect.map(monotonicMs, (nowMs) => log.staleMs(wholeIndex(follower.position()), nowMs))

    const step = Effect.gen(function* () {
      const { end, told } = yield* follower.step
      return end === undefined ? told : [...told, bookmarkOf(yield* bookmark, end === "initial")]
    })
    return {
      format: (at: Position) => formatPosition(at, log.instance),
      isReady: follower.isReady,
      ready: Effect.raceFirst(
        Effect.suspend(() => (follower.isReady() ? Effect.void : log.applied(follower.next()))),
        untilSpent(caller, log)
      ),
      take: Effect.andThen(inTurn(step), (told) => Effect.as(Effect.yieldNow, told)),
      bookmark: Effect.map(bookmark, (staleMs) => bookmarkOf(staleMs, false)),
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

/** Waits until this node has what a follower asks for, and gives the position after which it begins. */
const begin = Effect.fnUntraced(function* (
  log: Log,
  {
    after,
    group,
    isInitial
  }: { readonly after: string | undefined; readonly isInitial: boolean; readonly group: string },
  gone: (why: Follower.Gone) => Problem
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
  return isHere ? position : yield* Effect.fail(gone("entries"))
})

const malformed = invalidRequest("The position is malformed: send the id of an event", [
  { path: "after", message: "takes the id of an event" }
])

const ofOthers = invalidRequest("The position is within a first state of other models: begin again without it", [
  { path: "after", message: "is within a first state of other models" }
])

const tooManyStates = problem("overloaded", "Too many readers are being sent all records: try again later", {
  definite: true
})

const goneBecause = (
  why: Follower.Gone,
  members: { readonly oldestIndex: number; readonly restart: string }
): Problem =>
  problem("changes-gone", `${reasonOf(why, members.oldestIndex)}: start over at ${members.restart}`, members)

const reasonOf = (why: Follower.Gone, oldestIndex: number): string => {
  switch (why) {
    case "entries":
      return `These changes are not in the log, which has those from entry ${oldestIndex} on`
    case "view":
      return "You may read other records now than at this position"
    case "erased":
      return "A record was erased, and whether you could read it cannot be told any more"
    case "former":
      return "A record has changed, and whether you could read it before is not in the history that this node has"
  }
}

/**
 * One follower of changes: how far it is, and what it is told next. It tells a first state, then the entries of the log,
 * and between two views what has come into sight and left it.
 *
 * The view may change with any entry: a caller joins a team, or leaves it. Then the follower first moves on by the entries
 * to a state that has the new view, telling only what both views show; what it has of the old view by then, and does not
 * show in the new one, has left; what the new one shows besides is told as records.
 */
import { Effect, Result } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Machine/Event.ts"
import type { RecordUnreadable as Unreadable } from "../Machine/ReadRow.ts"
import { clone, type Tables } from "../Machine/Tables.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import { type Problem, problem } from "../Problem.ts"
import { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { type Change, changesOf, type Erased, isChange, type Left, showEvent, toldIn } from "./Change.ts"
import { type FirstRecord, recordsAfter } from "./FirstState.ts"
import { type Sight, verdictOf } from "./Judged.ts"
import { type Log, stepMaxCount } from "./Log.ts"
import { betweenViews, isUpTo, nextEntry, nothingShown, type Position } from "./Position.ts"
import { seen, shows, type View } from "./View.ts"
import * as Walk from "./Walk.ts"

/** The payload that one read takes, unless a single entry has more. */
const pageMaxBytes = 32 * 1024
/** The most changes that one step judges, most of which may be out of sight. */
const judgedMaxCount = 256

/** What a step tells. */
export type Step = Change | Erased | Left | FirstRecord

/** Why a follower must start over. */
export type Gone = "entries" | "view" | "erased" | "former"

/** A follower that begins. */
export interface Beginning {
  readonly log: Log
  /** Names the models of a first state. */
  readonly group: string
  readonly view: View
  /** After which it begins. */
  readonly position: Position
  /** Whether it begins a first state. */
  readonly isNewState: boolean
  /** What the caller may be told now. Fails if that is nothing, or if its credential counts no more. */
  readonly viewNow: () => Result.Result<View, Problem>
  readonly gone: (why: Gone) => Problem
  /** Takes a place among those that hold a state. Returns how to leave it. */
  readonly enterState: Effect.Effect<Effect.Effect<void>, Problem>
}

/** A follower. */
export interface Follower {
  /** How far everything is told. */
  readonly position: () => Position
  /** Whether it has something to do now. */
  readonly isReady: () => boolean
  /** The next entry that it waits for. */
  readonly next: () => number
  /** Tells what comes next, perhaps nothing, and whether a first state or a new view is whole with it. */
  readonly step: Effect.Effect<{ readonly told: ReadonlyArray<Step>; readonly end?: "initial" | "view" }, Problem>
}

/** A state that is told from tables of its own. */
interface State {
  readonly tables: Tables
  readonly index: number
  readonly leave: Effect.Effect<void>
}

/** A part of an entry that was judged. */
interface Within {
  readonly index: number
  readonly doneCount: number
  readonly toldCount: number
  /** How much of it was told before the follower came back. */
  readonly skipCount: number
}

const none = { doneCount: 0, toldCount: 0, skipCount: 0 }

/** How a follower judges changes, and what its caller may read now: that may change again while it moves to a new view. */
interface Judging extends Sight {
  readonly now: View
}

/** From one view to another. */
interface Move {
  readonly to: View
  readonly sinceIndex: number
  readonly state: State
  /** Once all entries of the state are told: what is walked, and how far. */
  readonly walk: Walk.Walk | undefined
}

/** Begins to follow. */
export const make = Effect.fnUntraced(function* ({
  enterState,
  gone,
  group,
  isNewState,
  log,
  position: after,
  view: beginning,
  viewNow
}: Beginning) {
  const stateNow = Effect.map(
    enterState,
    (leave): State => ({ tables: clone(log.tables()), index: log.appliedIndex(), leave })
  )
  let view = beginning
  let position = after
  /** The first state, until all of its records are told. */
  let state = position.shown === undefined ? undefined : yield* stateNow
  let move: Move | undefined
  const named = () => (view.name === undefined ? {} : { view: view.name })
  if (state !== undefined && isNewState) position = { index: state.index, shown: nothingShown(group) }
  position = { ...position, ...named() }
  let wholeIndex = nextEntry(position) - 1
  let within: Within | undefined =
    position.ordinal === undefined
      ? undefined
      : { index: position.index, doneCount: 0, toldCount: 0, skipCount: position.ordinal + 1 }

  const next = (): number => (view.isRestricted ? (within?.index ?? wholeIndex + 1) : nextEntry(position))
  const lastIndex = (): number => state?.index ?? move?.state.index ?? log.appliedIndex()
  const isBehind = (): boolean => next() <= lastIndex()
  const isReady = (): boolean => state !== undefined || move !== undefined || isBehind()

  const read = (maxBytes: number) =>
    Effect.catch(log.read({ fromIndex: next(), maxBytes }), (failure) => unread(failure, gone("entries")))
  const entries = Effect.map(
    Effect.suspend(() => read(pageMaxBytes)),
    (found) => found.filter(({ index }) => index <= lastIndex())
  )

  /** Tells the changes of entries to a reader of every record. */
  const changes = Effect.gen(function* () {
    const followed = new Map(Array.from(view.models, ([name, { descriptor }]) => [name, descriptor]))
    const page = { entries: yield* entries, from: position, maxCount: stepMaxCount }
    const found = yield* readable(changesOf(followed, page))
    position = found.position
    return found.changes.map((change) =>
      change._tag === "Change" ? { ...change, record: seen(view, change.model, change.record) } : change
    )
  })

  const placeOf = (index: number, ordinal: number): Position => {
    if (move !== undefined) return position
    const { shown } = position
    return { index, ordinal, ...named(), ...(shown === undefined ? {} : { shown }) }
  }

  /** What one change is to a reader of some records; undefined if it is nothing. */
  const judged = Effect.fnUntraced(function* (
    sight: Judging,
    event: Event,
    here: { readonly index: number; readonly transaction: Transaction; readonly position: Position }
  ) {
    const { id, model, type, version } = event
    const { index, position, transaction } = here
    const { descriptor } = view.models.get(model)!
    const after = Result.getOrUndefined(showEvent(descriptor, event))
    const before =
      type === "updated"
        ? yield* Effect.catch(log.findFormer(descriptor, event, here), (failure) => unread(failure, gone("former")))
        : undefined
    const verdict = verdictOf(sight, event, { after, before })
    if (verdict === "Unknown") return yield* Effect.fail(gone("former"))
    if (verdict === "Hidden") return undefined
    if (verdict === "Left") return { _tag: "Left", position, index, model, id } satisfies Left
    // Nobody could tell later that the reader does not have it.
    if (!shows(sight.now, { model, id, record: after! })) return yield* Effect.fail(gone("view"))
    const record = seen(view, model, after!)
    return verdict === "Entered"
      ? ({ _tag: "Record", position, changedIndex: index, model, id, version, record } satisfies FirstRecord)
      : ({ _tag: "Change", type, position, timeMs: transaction.timeMs, model, id, version, record } satisfies Change)
  })

  /** What one thing that an entry tells is to a reader of some records. */
  const toldOf = Effect.fnUntraced(function* (
    sight: Judging,
    thing: ReturnType<typeof toldIn>[number],
    here: { readonly index: number; readonly transaction: Transaction; readonly position: Position }
  ) {
    const of = thing === undefined ? undefined : view.models.get(thing.model)
    if (thing === undefined || of === undefined) return undefined
    if (here.position.shown !== undefined && !isUpTo(thing, here.position.shown)) return undefined
    if ("type" in thing) return isChange(thing) ? yield* judged(sight, thing, here) : undefined
    // What was erased cannot be judged any more, and a reader that has it must not keep it.
    if (of.reach !== undefined) return yield* Effect.fail(gone("erased"))
    const { position, transaction } = here
    return { _tag: "Erased", position, timeMs: transaction.timeMs, model: thing.model, id: thing.id } satisfies Erased
  })

  /** Whether a thing would be told if its data had not been erased: it may have been told before, so it keeps its place. */
  const isErasedOf = (event: Event | undefined): boolean => {
    if (event?.erased !== true || !isChange(event)) return false
    const of = view.models.get(event.model)
    const { shown } = position
    return of !== undefined && of.reach === undefined && (shown === undefined || isUpTo(event, shown))
  }

  /** Tells what the changes of entries are to a reader of some records. Places in an entry count what that reader is told. */
  const sightings = Effect.fnUntraced(function* (sight: Judging) {
    const told: Array<Step> = []
    let judgedCount = 0
    for (const { index, transaction } of yield* entries) {
      const things = transaction === undefined ? [] : toldIn(transaction)
      const { skipCount } = within?.index === index ? within : none
      let { doneCount, toldCount } = within?.index === index ? within : none
      while (doneCount < things.length) {
        if (told.length === stepMaxCount || judgedCount === judgedMaxCount) return told
        judgedCount += 1
        const here = { index, transaction: transaction!, position: placeOf(index, toldCount) }
        const each = yield* Effect.result(toldOf(sight, things[doneCount], here))
        if (Result.isFailure(each)) return told.length > 0 ? told : yield* Effect.fail(each.failure)
        if (isErasedOf(transaction!.events[doneCount])) toldCount += 1
        doneCount += 1
        if (each.success !== undefined) {
          toldCount += 1
          if (toldCount > skipCount) {
            position = here.position
            told.push(each.success)
          }
        }
        within = { index, doneCount, skipCount, toldCount }
      }
      within = undefined
      wholeIndex = index
      const { shown } = position
      if (move === undefined) position = { index, ...named(), ...(shown === undefined ? {} : { shown }) }
    }
    return told
  })

  /** Tells the records after those that were told, and then where they end. */
  const records = (of: State) =>
    Effect.gen(function* () {
      const step = { after: position.shown ?? nothingShown(group), maxCount: stepMaxCount }
      const found = yield* readable(recordsAfter(view, of, step))
      position = found.records.at(-1)?.position ?? position
      if (!found.isWhole) return { told: found.records }
      state = undefined
      position = { index: of.index, ...named() }
      wholeIndex = of.index
      yield* of.leave
      return { told: found.records, end: "initial" as const }
    })

  /** Begins to move to another view. Within a state or an entry nobody can tell what the reader has. */
  const turnTo = Effect.fnUntraced(function* (to: View) {
    if (state !== undefined || within !== undefined) return yield* Effect.fail(gone("view"))
    move = { to, sinceIndex: wholeIndex, state: yield* stateNow, walk: undefined }
    position = { index: wholeIndex, view: betweenViews }
  })

  /** Moves on to the new view. */
  const moved = Effect.fnUntraced(function* (moving: Move, now: View) {
    const { sinceIndex, state, to } = moving
    if (isBehind()) return { told: yield* sightings({ had: view, sinceIndex, told: [view, to], now }) }
    const page = Walk.page({ from: view, to, now }, { ...state, sinceIndex, position }, moving.walk ?? Walk.beginning)
    // Nobody could tell later that the reader does not have it.
    if (page === "Hidden") return yield* Effect.fail(gone("view"))
    const { told, walk } = page
    if (walk !== undefined) {
      move = { ...moving, walk }
      return { told }
    }
    move = undefined
    view = to
    wholeIndex = state.index
    position = { index: wholeIndex, ...named() }
    yield* state.leave
    return { told, end: "view" as const }
  })

  const forward = (now: View): Effect.Effect<Effect.Success<Follower["step"]>, Problem> => {
    if (move !== undefined) return moved(move, now)
    if (state !== undefined && !isBehind()) return records(state)
    const told = view.isRestricted ? sightings({ had: view, sinceIndex: wholeIndex, told: [now], now }) : changes
    return Effect.map(told, (told) => ({ told }))
  }

  const step: Follower["step"] = Effect.gen(function* () {
    const now = yield* Effect.fromResult(viewNow())
    if (move === undefined && now.name !== view.name) yield* turnTo(now)
    if (!isReady()) return { told: [] }
    const before = { move, position, state, view, wholeIndex, within }
    const done = yield* forward(now)
    const later = yield* Effect.fromResult(viewNow())
    if (later.name !== now.name) {
      // The log was read meanwhile, perhaps beyond the entry with which the caller lost a right.
      ;({ move, position, state, view, wholeIndex, within } = before)
      return { told: [] }
    }
    return done
  })

  // The first entry is read before the follower begins, so that a reader who asks for what is gone hears so at once.
  if (isBehind()) yield* read(1)
  return { position: () => position, isReady, next, step } satisfies Follower
})

const unread = (failure: LogFailed | LogCorrupt, gone: Problem): Effect.Effect<never, Problem> =>
  failure._tag === "LogFailed" && failure.reason === "compacted"
    ? Effect.fail(gone)
    : Effect.andThen(
        Effect.logError("Cannot read changes from the log", failure),
        Effect.fail(problem("internal", "The node cannot read its log: see its log, and ask another node", {}))
      )

const readable = <A>(result: Result.Result<A, Unreadable>): Effect.Effect<A, Problem> =>
  Effect.fromResult(Result.mapError(result, (met) => new RecordUnreadable(met).toProblem()))

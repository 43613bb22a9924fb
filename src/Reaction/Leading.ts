/**
 * Runs a reaction while this node leads, from the position that the cluster knows: in the order of the log, each event
 * until its effect succeeds or an operator takes it away (Steering.ts). Records the position now and then; two leaders
 * cannot overwrite each other's.
 */
import { type Cause, Clock, Data, Effect, Result } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { isHistoryWhole } from "../Machine/Restored.ts"
import { type Event, eventId } from "../Projection/Event.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import type { Reaction } from "./Definition.ts"
import { type Leader, metOf, type Watcher } from "./Led.ts"
import { tryDue } from "./ParkedEvents.ts"
import { behind, isAfter, isSameEvent, later, type Parked, type Position } from "./Position.ts"
import * as Record from "./Record.ts"

/** The most events that may be run and not recorded, including the current one. The next leader runs these again. */
export const unrecordedMaxCount = 64
/** How long a finished event may stay unrecorded while others keep coming. */
const recordAfterMs = 200
/** Records the position after so many entries without events of the reaction. A new leader reads these again. */
const passedMaxCount = 10_000
/** The most payload to read at once. */
const pageMaxBytes = 128 * 1024
/** How long a stopping reaction may take to record its position. */
const lastRecordMs = 500
/** The pauses between attempts at one event: the first, and the longest. */
const backoffMinMs = 100
const backoffMaxMs = 30_000

const same = (parked: ReadonlyArray<Parked>): ReadonlyArray<Parked> => parked

/** A reaction stopped: its current models cannot read an event of the entry `index`. */
export class ReactionFailed extends Data.TaggedError("ReactionFailed")<{
  readonly reaction: string
  readonly index: number
  readonly message: string
}> {}

/** Runs a reaction until it is interrupted. Interrupt it as soon as this node is no longer the leader. */
export const lead = Effect.fnUntraced(function* <R>(
  reaction: Reaction<R>,
  member: Leader,
  { at, failing, running, said }: Watcher
): Effect.fn.Return<never, ReactionFailed | LogFailed | LogCorrupt, R> {
  const { feed } = member
  const { name } = reaction
  let done: Position = { index: 0, count: 0 }
  const record = yield* Record.keep(name, member, ({ position }) => {
    // Then those events are done too.
    if (position !== undefined) step(later(done, position))
  })
  const { isSteered, recorded, steered } = record
  done = recorded().position ?? { index: reaction.startAt === "now" ? record.firstIndex : 0, count: 0 }
  /** The entry behind which a restore or a recovery began the log without its history. 0 if none did. */
  const { restored } = member.tables
  const base = restored === undefined || isHistoryWhole(restored) ? 0 : restored.versionFloor
  const isBelowBase = done.index < base
  /** The event that failed last, until it is done. */
  let stumbled = isBelowBase ? undefined : recorded().stumbled
  let unrecordedCount = 0
  let dueMs = 0
  function step(position: Position): void {
    done = position
    at(position)
  }

  /** An operator, or another leader, may have taken the event away since it failed here. */
  const stumbledStill = () => (stumbled !== undefined && isAfter(stumbled, done) ? stumbled : undefined)
  const next = (parkedAfter: typeof same) => () => ({
    position: done,
    stumbled: stumbledStill(),
    parked: parkedAfter(recorded().parked)
  })
  const isRecorded = Effect.sync(() => {
    unrecordedCount = 0
  })
  const recordNow = (parkedAfter: typeof same = same) => Effect.andThen(record.record(next(parkedAfter)), isRecorded)
  /** Records the position, so that the new leader runs fewer events again. */
  const recordAtLast = Effect.suspend(() =>
    unrecordedCount === 0 ? Effect.void : record.recordOnce(next(same)())
  ).pipe(Effect.interruptible, Effect.timeout(lastRecordMs), Effect.ignore)

  /** The failure of an effect, if it fails. An interruption that this sees comes from the effect, and counts as one. */
  const failureOf = (event: Event) =>
    Effect.suspend(() => reaction.run(event)).pipe(Effect.as(undefined), Effect.catchCause(Effect.succeed))

  /** Tells that an event failed. Every node must know it, so that an operator can ask any of them. */
  const stumble = Effect.fnUntraced(function* (event: Event, cause: Cause.Cause<unknown>) {
    const failure = metOf(cause)
    failing(`Event ${eventId(event)} failed, trying again: ${failure}`)
    said.changed(name, "failing", (meanwhile) =>
      Effect.logWarning(`The reaction ${name} failed at event ${eventId(event)}, trying again${meanwhile}`, cause)
    )
    const isKnown = stumbled !== undefined && isSameEvent(stumbled, event)
    // A former leader may have recorded its own progress over it.
    const known = recorded().stumbled
    const isRecordedToo = known !== undefined && isSameEvent(known, event)
    if (isKnown && isRecordedToo && unrecordedCount === 0) return
    const { index, ordinal } = event
    if (!isKnown) stumbled = { index, ordinal, sinceMs: yield* Clock.currentTimeMillis, failure, retriesCount: 0 }
    // The event may fail for days. Record the events before it now, so that they are not run again.
    yield* recordNow()
  })

  /** Runs an event until it succeeds, or an operator or another leader has taken it away. */
  const attempt = Effect.fnUntraced(function* (event: Event) {
    let pauseMs = backoffMinMs
    while (isAfter(event, done)) {
      const cause = yield* failureOf(event)
      if (cause === undefined) break
      yield* stumble(event, cause)
      yield* Effect.raceFirst(Effect.sleep(pauseMs), steered)
      if (isSteered()) yield* runDue
      pauseMs = Math.min(2 * pauseMs, backoffMaxMs)
    }
    stumbled = undefined
    failing(undefined)
    said.changed(name, "done", (meanwhile) =>
      Effect.logInfo(`The reaction ${name} goes on behind event ${eventId(event)}${meanwhile}`)
    )
  })

  /** Runs the parked events that an operator wants to be tried. */
  const runDue = tryDue({
    record,
    feed,
    eventsOf: reaction.eventsOf,
    isReady: () => true,
    run: failureOf,
    recordParked: recordNow
  })

  const ran = Effect.fnUntraced(function* (position: Position) {
    step(later(done, position))
    const nowMs = yield* monotonicMs
    if (unrecordedCount === 0) dueMs = nowMs + recordAfterMs
    unrecordedCount += 1
    const isPast = recorded().stumbled !== undefined
    if (isPast || unrecordedCount >= unrecordedMaxCount || nowMs >= dueMs) yield* recordNow()
  })

  /** Records the rest when no more events come. */
  const recordWhenDue = Effect.gen(function* () {
    if (done.index - (recorded().position?.index ?? 0) >= passedMaxCount) return yield* recordNow()
    if (unrecordedCount === 0) return
    const waitMs = Math.max(0, dueMs - (yield* monotonicMs))
    yield* Effect.raceFirst(feed.applied(done.index + 1), Effect.sleep(waitMs))
    if (feed.appliedIndex() <= done.index || (yield* monotonicMs) >= dueMs) yield* recordNow()
  })

  /** Nobody can run the events below the base, so waiting for them would stop the reaction for ever. */
  const goBehindBase = Effect.gen(function* () {
    yield* Effect.logWarning(
      `The reaction ${name} goes on behind entry ${base}, where a restore began the log: events after entry ${done.index} that were not run by then are not run`
    )
    step({ index: base, count: 0 })
    yield* recordNow()
  })

  return yield* Effect.gen(function* () {
    step(done)
    if (isBelowBase) yield* goBehindBase
    if (recorded().position === undefined && reaction.startAt === "now") yield* recordNow()
    while (true) {
      yield* runDue
      yield* recordWhenDue
      for (const entry of yield* feed.read({ fromIndex: done.index + 1, maxBytes: pageMaxBytes })) {
        const events = reaction.eventsOf(entry)
        const timeMs = entry.transaction?.timeMs
        if (Result.isFailure(events)) {
          running(timeMs)
          const message = `Cannot read entry ${entry.index}: ${events.failure}`
          return yield* new ReactionFailed({ reaction: name, index: entry.index, message })
        }
        for (const event of events.success) {
          if (!isAfter(event, done)) continue
          running(timeMs)
          yield* attempt(event)
          yield* ran(behind(event))
        }
        if (done.index < entry.index) step({ index: entry.index, count: 0 })
      }
      running(undefined)
    }
  }).pipe(Effect.onInterrupt(() => recordAtLast))
})

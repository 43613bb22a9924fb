/**
 * Runs a reaction while this node leads, from the position that the cluster knows: in the order of the log, each event
 * until its effect succeeds. Records the position now and then; two leaders cannot overwrite each other's.
 */
import { Cause, Data, Effect, Result, Schedule } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type Event, eventId } from "../Projection/Event.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import type { Reaction } from "./Definition.ts"
import { later, type Position, recordedIn, recording } from "./Position.ts"

/** The most events that may be run and not recorded, including the current one. The next leader runs these again. */
export const unrecordedMaxCount = 64
/** How long a finished event may stay unrecorded while others keep coming. */
const recordAfterMs = 200
/** Records the position after so many entries without events of the reaction. A new leader reads these again. */
const passedMaxCount = 10_000
/** The most payload to read at once. */
const pageMaxBytes = 128 * 1024
/** The pause after the cluster did not take a position. */
const retryMs = 100
/** How long a stopping reaction may take to record its position. */
const lastRecordMs = 500
/** The most characters of an event's failure in the status. The node's log has all of it. */
const metMaxLength = 500
/** The pauses between attempts at one event. */
const backoff = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("30 seconds")])

/** A reaction stopped: its current models cannot read an event of the entry `index`. */
export class ReactionFailed extends Data.TaggedError("ReactionFailed")<{
  readonly reaction: string
  readonly index: number
  readonly message: string
}> {}

const isAfter = ({ index, ordinal }: Event, done: Position): boolean =>
  index > done.index + 1 || (index === done.index + 1 && ordinal >= done.count)

/** The parts of the member that reactions need. */
export type Reactive = Pick<Member["Service"], "feed" | "leader" | "self" | "readIndex" | "submit" | "tables">

/** Receives the progress of a reaction. */
export interface Watcher {
  /** Called at every step. */
  readonly at: (position: Position) => void
  /** Called with the failure of an event that is retried, and with undefined once the event is done. */
  readonly failing: (met: string | undefined) => void
}

/** Describes the failure of an effect by its name and message, for operators. */
const metOf = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => [name, message].filter((part) => part !== "" && part !== "Error").join(": "))
    .join("; ")
    .slice(0, metMaxLength)

/** Runs a reaction until it is interrupted. Interrupt it as soon as this node is no longer the leader. */
export const lead = Effect.fnUntraced(function* <R>(
  reaction: Reaction<R>,
  member: Reactive,
  { at, failing }: Watcher
): Effect.fn.Return<never, ReactionFailed | LogFailed | LogCorrupt, R> {
  const { feed } = member
  const { name } = reaction
  const known = Effect.map(member.readIndex, (index) => ({ index, recorded: recordedIn(member.tables, name) })).pipe(
    Effect.retry(Schedule.spaced(retryMs)),
    Effect.orDie
  )
  const first = yield* known
  let recorded = first.recorded
  let done: Position = recorded.position ?? { index: reaction.startAt === "now" ? first.index : 0, count: 0 }
  let unrecordedCount = 0
  let dueMs = 0
  const step = (position: Position) => {
    done = position
    at(position)
  }

  /** Another leader may have recorded more. Then those events are done too. */
  const resync = Effect.gen(function* () {
    recorded = (yield* known).recorded
    if (recorded.position !== undefined) step(later(done, recorded.position))
  })
  const recordOnce = Effect.gen(function* () {
    const position = done
    const { result } = yield* member.submit(recording(name, position, recorded))
    if (result._tag === "Rejected") return yield* Effect.fail(result.rejection)
    const [put] = result.answer.operations
    invariant(put !== undefined, "a position was recorded without an answer")
    recorded = { position, version: put.version }
    unrecordedCount = 0
  })
  const record = recordOnce.pipe(
    Effect.tapError(() => resync),
    Effect.retry(Schedule.spaced(retryMs)),
    Effect.orDie
  )
  /** Records the position, so that the new leader runs fewer events again. */
  const recordAtLast = Effect.suspend(() => (unrecordedCount === 0 ? Effect.void : recordOnce)).pipe(
    Effect.interruptible,
    Effect.timeout(lastRecordMs),
    Effect.ignore
  )

  /** The catch never sees an interruption of this fiber. One that it sees comes from the effect, and counts as a failure. */
  const attempt = (event: Event) =>
    Effect.suspend(() => (isAfter(event, done) ? reaction.run(event) : Effect.void)).pipe(
      Effect.catchCause(Effect.fail),
      Effect.tapError((cause) => {
        failing(`Event ${eventId(event)} failed, trying again: ${metOf(cause)}`)
        return Effect.logWarning(`The reaction ${name} failed at event ${eventId(event)}, trying again`, cause)
      }),
      // The event may fail for days. Record the events before it now, so that they are not run again.
      Effect.tapError(() => (unrecordedCount === 0 ? Effect.void : record)),
      Effect.retry(backoff),
      Effect.orDie,
      Effect.tap(() => Effect.sync(() => failing(undefined)))
    )

  const ran = Effect.fnUntraced(function* (position: Position) {
    step(later(done, position))
    const nowMs = yield* monotonicMs
    if (unrecordedCount === 0) dueMs = nowMs + recordAfterMs
    unrecordedCount += 1
    if (unrecordedCount >= unrecordedMaxCount || nowMs >= dueMs) yield* record
  })

  /** Records the rest when no more events come. */
  const recordWhenDue = Effect.gen(function* () {
    if (done.index - (recorded.position?.index ?? 0) >= passedMaxCount) return yield* record
    if (unrecordedCount === 0) return
    const waitMs = Math.max(0, dueMs - (yield* monotonicMs))
    yield* Effect.raceFirst(feed.applied(done.index + 1), Effect.sleep(waitMs))
    if (feed.appliedIndex() <= done.index || (yield* monotonicMs) >= dueMs) yield* record
  })

  return yield* Effect.gen(function* () {
    step(done)
    if (recorded.position === undefined && reaction.startAt === "now") yield* record
    while (true) {
      yield* recordWhenDue
      for (const entry of yield* feed.read({ fromIndex: done.index + 1, maxBytes: pageMaxBytes })) {
        const events = reaction.eventsOf(entry)
        if (Result.isFailure(events)) {
          const message = `Cannot read entry ${entry.index}: ${events.failure}`
          return yield* new ReactionFailed({ reaction: name, index: entry.index, message })
        }
        for (const event of events.success) {
          if (!isAfter(event, done)) continue
          yield* attempt(event)
          yield* ran({ index: entry.index - 1, count: event.ordinal + 1 })
        }
        if (done.index < entry.index) step({ index: entry.index, count: 0 })
      }
    }
  }).pipe(Effect.onInterrupt(() => recordAtLast))
})

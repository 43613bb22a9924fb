/**
 * Running a reaction while this node leads, from the position that the cluster knows: in the order of the log, each
 * event until its effect succeeds. The position is recorded now and then, never by two leaders against each other.
 */
import { Cause, Data, Effect, Result, Schedule } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type Event, eventId } from "../Projection/Event.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import type { Reaction } from "./Definition.ts"
import { later, type Position, recordedIn, recording } from "./Position.ts"

/** Events that may be run without being recorded: so many, the one under way included, are run again by the next leader. */
export const unrecordedMaxCount = 64
/** How long an event that was run stays unrecorded while others keep coming. */
const recordAfterMs = 200
/** Entries without an event of the reaction that are passed before that is recorded: what a new leader reads again. */
const passedMaxCount = 10_000
/** Payload that is read at once. */
const pageMaxBytes = 128 * 1024
/** How long after the cluster did not take a position it is tried again. */
const retryMs = 100
/** How long a reaction that is to stop may take to record what it has done. */
const lastRecordMs = 500
/** Characters that are told of what an event met: the node's log has all of it. */
const metMaxLength = 500
/** Between two attempts at one event. */
const backoff = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("30 seconds")])

/** A reaction cannot go on: an event of the entry `index` cannot be read as its models are now. */
export class ReactionFailed extends Data.TaggedError("ReactionFailed")<{
  readonly reaction: string
  readonly index: number
  readonly message: string
}> {}

const isAfter = ({ index, ordinal }: Event, done: Position): boolean =>
  index > done.index + 1 || (index === done.index + 1 && ordinal >= done.count)

/** What reactions need of the member that they run beside. */
export type Reactive = Pick<Member["Service"], "feed" | "leader" | "self" | "readIndex" | "submit" | "tables">

/** Who is told how a reaction goes on. */
export interface Watcher {
  /** Of every step. */
  readonly at: (position: Position) => void
  /** Of what an event met that is tried again; of undefined once it is done. */
  readonly failing: (met: string | undefined) => void
}

/** What an effect met, by its name and its own message, for those who run the node. */
const metOf = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => [name, message].filter((part) => part !== "" && part !== "Error").join(": "))
    .join("; ")
    .slice(0, metMaxLength)

/** Runs until it is interrupted, which is to be as soon as this node leads no longer. */
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

  /** Another leader may have recorded more: then that is done, too. */
  const resync = Effect.gen(function* () {
    recorded = (yield* known).recorded
    if (recorded.position !== undefined) step(later(done, recorded.position))
  })
  const recordOnce = Effect.gen(function* () {
    const position = done
    const { answer } = yield* member.submit(recording(name, position, recorded))
    if (answer._tag === "Rejected") return yield* Effect.fail(answer.rejection)
    const [put] = answer.answer.operations
    invariant(put !== undefined, "a position was recorded without an answer")
    recorded = { position, version: put.version }
    unrecordedCount = 0
  })
  const record = recordOnce.pipe(
    Effect.tapError(() => resync),
    Effect.retry(Schedule.spaced(retryMs)),
    Effect.orDie
  )
  /** Whoever leads now takes it, and runs less again. */
  const recordAtLast = Effect.suspend(() => (unrecordedCount === 0 ? Effect.void : recordOnce)).pipe(
    Effect.interruptible,
    Effect.timeout(lastRecordMs),
    Effect.ignore
  )

  /** An interruption of this fiber passes the catch by: one that is met there is the effect's own, and a failure. */
  const attempt = (event: Event) =>
    Effect.suspend(() => (isAfter(event, done) ? reaction.run(event) : Effect.void)).pipe(
      Effect.catchCause(Effect.fail),
      Effect.tapError((cause) => {
        failing(`Event ${eventId(event)} failed, and is tried again: ${metOf(cause)}`)
        return Effect.logWarning(`The reaction ${name} failed at event ${eventId(event)}, and is tried again`, cause)
      }),
      // It may fail for days: what was done before it is not to be run again for that.
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

  /** What is left unrecorded when nothing more comes is recorded then. */
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

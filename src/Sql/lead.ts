/**
 * Runs a projection into SQL while this node leads: applies the events of entries in order, each group in one transaction
 * with the position behind it. A database that does not answer makes the projection lag. An event that it refuses is
 * tried again until it succeeds, or until an operator takes it away, as for reactions.
 */
import { type Cause, Clock, Effect, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Member } from "../Cluster/Member.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import { type Event, eventId } from "../Projection/Event.ts"
import type { Sql } from "../Projection/Sql.ts"
import { type Leader, metOf, type Stopped, type Watcher } from "../Reaction/Led.ts"
import { tryDue } from "../Reaction/ParkedEvents.ts"
import { type EventAt, isAfter, isSameEvent, later, type Parked, type Stumbled } from "../Reaction/Position.ts"
import * as Record from "../Reaction/Record.ts"
import * as Build from "./Build.ts"
import { Overtaken } from "./Refusal.ts"
import { type Step, stepsOf, takenAway } from "./Step.ts"
import * as Writer from "./Writer.ts"

/** The most payload to read, and so to apply in one transaction. */
const pageMaxBytes = 128 * 1024
/** The most entries without events before their position is noted, and how long one may wait when nothing else comes. */
const passedMaxCount = 10_000
const noteAfterMs = 1_000
/** The pauses between attempts: the first, the longest at an event, and the longest while the database is away. */
const backoffMinMs = 100
const eventBackoffMaxMs = 30_000
const awayBackoffMaxMs = 5_000
/** How long a transaction may take before the leader says so. A connection that hangs may never fail by itself. */
const slowMs = 10_000

/** The parts of the member that such a projection needs. */
export type SqlLeader = Leader & Pick<Member["Service"], "clusterId">

/** The record of a projection's build among those of reactions. No reaction has a colon in its name. */
export const recordIdOf = ({ name, version }: Pick<Sql<unknown>, "name" | "version">): string =>
  `sql:${name}:${version}`

/** Follows until it is interrupted. Interrupt it as soon as this node is no longer the leader. */
export const lead = Effect.fnUntraced(function* <R>(
  projection: Sql<R>,
  member: SqlLeader,
  { at, failing, running, said }: Watcher
): Effect.fn.Return<never, Stopped | LogFailed, R | SqlClient> {
  const { feed, self } = member
  const { name } = projection
  const { client, migrate } = yield* Effect.promise(() => import("./open.ts"))
  const sql = yield* client
  const build = (): Build.Build => ({
    version: projection.version,
    models: projection.models,
    origin: member.clusterId() ?? "",
    formerOrigins: member.tables.restored?.formerClusterIds ?? [],
    erased: Build.erasedIn(projection, member.tables)
  })
  const writer = yield* Writer.make(projection, { sql, feed, nodeId: self.nodeId, build })
  const { position } = writer
  const record = yield* Record.keep(recordIdOf(projection), member, () => {})
  const { recorded } = record

  let isMigrated = false
  let pauseMs = backoffMinMs
  /** All entries through it are done. The note is behind it where entries had no event. */
  let index = 0
  const reach = (reached: number) => {
    index = reached
    at({ index, count: 0 })
  }

  /** Whether an event is still to be applied: neither is it, nor has an operator taken it away. */
  const isPending = (event: EventAt) => {
    const away = takenAway(recorded(), position())
    return isAfter(event, position()) && (away === undefined || !isSameEvent(away, event))
  }
  const recordWith = (
    parkedAfter: (all: ReadonlyArray<Parked>) => ReadonlyArray<Parked>,
    stumbled: Stumbled | undefined = recorded().stumbled
  ) =>
    record.record(() => ({
      // What an operator took away meanwhile stays away.
      position: later(position(), recorded().position ?? position()),
      stumbled: stumbled !== undefined && isPending(stumbled) ? stumbled : undefined,
      parked: parkedAfter(recorded().parked)
    }))

  /** Tells that an event was refused. Every node must know it, so that an operator can ask any of them. */
  const stumble = Effect.fnUntraced(function* (event: Event, cause: Cause.Cause<unknown>) {
    const failure = metOf(cause)
    failing(`Event ${eventId(event)} failed, trying again: ${failure}`)
    said.changed(name, "failing", (meanwhile) =>
      Effect.logWarning(`The projection ${name} failed at event ${eventId(event)}, trying again${meanwhile}`, cause)
    )
    const known = recorded().stumbled
    if (known !== undefined && isSameEvent(known, event)) return
    const { index, ordinal } = event
    const sinceMs = yield* Clock.currentTimeMillis
    yield* recordWith((all) => all, { index, ordinal, sinceMs, failure, retriesCount: 0 })
  })

  /** When the oldest entry was committed that waits for the database, as far as one page tells. */
  const oldestWaitingMs = Effect.gen(function* () {
    if (feed.appliedIndex() <= index) return undefined
    const entries = yield* feed.read({ fromIndex: index + 1, maxBytes: pageMaxBytes })
    return entries.find(({ transaction }) => transaction !== undefined)?.transaction?.timeMs
  }).pipe(Effect.orElseSucceed(() => undefined))

  /** Says so while the database takes long. The leader waits on: it may be emptying large tables. */
  const watched = <A, E, Needs>(asking: Effect.Effect<A, E, Needs>) =>
    Effect.raceFirst(
      asking,
      Effect.gen(function* () {
        yield* Effect.sleep(slowMs)
        failing(`A transaction has taken more than ${slowMs / 1_000} s, and is not done`)
        said.changed(name, "failing", (meanwhile) =>
          Effect.logWarning(
            `The projection ${name} lags: a transaction takes more than ${slowMs / 1_000} s${meanwhile}`
          )
        )
        running(yield* oldestWaitingMs)
        return yield* Effect.never
      })
    )

  /** The database has answered, and perhaps the event is applied over which it stumbled. */
  const passed = Effect.suspend(() => {
    pauseMs = backoffMinMs
    failing(undefined)
    reach(position().index)
    const { stumbled } = recorded()
    if (stumbled !== undefined && isPending(stumbled)) return Effect.void
    said.changed(name, "done", (meanwhile) =>
      Effect.logInfo(`The projection ${name} goes on behind entry ${position().index}${meanwhile}`)
    )
    return stumbled === undefined ? Effect.void : recordWith((all) => all)
  })

  /** The events before a refused one are applied first; then it is tried alone. False if an operator has acted meanwhile. */
  const apply = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
    let rest = steps
    let count = rest.length
    while (rest.length > 0) {
      const group = rest.slice(0, count)
      const events = group.flatMap((step) => step.events)
      running(events[0]?.timeMs)
      const refused = yield* watched(writer.apply(group))
      if (refused === undefined) {
        rest = rest.slice(group.length)
        count = rest.length
        yield* passed
        continue
      }
      const { at, cause } = refused
      if (group.length > 1 && at?.step !== 0) {
        count = at?.step ?? 1
        continue
      }
      const event = at?.event ?? events.at(-1)
      if (event === undefined) return yield* new Writer.Away({ cause })
      yield* stumble(event, cause)
      yield* Effect.raceFirst(Effect.sleep(pauseMs), record.steered)
      pauseMs = Math.min(2 * pauseMs, eventBackoffMaxMs)
      if (record.isSteered() || takenAway(recorded(), position()) !== undefined) return false
      // It may have been applied after all, and only the answer was lost.
      if (!(yield* watched(writer.isCurrent))) return yield* Effect.fail(new Overtaken())
      count = 1
    }
    return true
  })

  /** Applies the parked events that an operator wants to be tried. */
  const applyDue = tryDue({
    record,
    feed,
    eventsOf: projection.eventsOf,
    // Until the rows have passed it, the database does not know that it was put aside.
    isReady: (parked) => !isAfter(parked, position()),
    run: (event) => watched(writer.applyParked(event)),
    recordParked: recordWith
  })

  /** Notes entries without events: after many of them, or when nothing else comes. */
  const noteWhenDue = Effect.gen(function* () {
    const passedCount = index - position().index
    if (passedCount <= 0) return
    if (passedCount < passedMaxCount) {
      if (feed.appliedIndex() > index) return
      yield* Effect.raceFirst(feed.applied(index + 1), Effect.sleep(noteAfterMs))
      if (feed.appliedIndex() > index) return
    }
    yield* watched(writer.pass(index))
    yield* passed
  })

  const take = Effect.gen(function* () {
    const entries = yield* feed.read({ fromIndex: index + 1, maxBytes: pageMaxBytes })
    const steps: Array<Step> = []
    let reached = index
    let unreadable: Writer.SqlStopped | undefined
    for (const entry of entries) {
      const events = projection.eventsOf(entry)
      if (Result.isFailure(events)) {
        unreadable = new Writer.SqlStopped({ message: `Cannot read entry ${entry.index}: ${events.failure}` })
        break
      }
      steps.push(...stepsOf({ index: entry.index, events: events.success }, position(), recorded()))
      reached = entry.index
    }
    // What is left is read again.
    if (!(yield* apply(steps))) return
    reach(reached)
    if (unreadable !== undefined) return yield* unreadable
    running(undefined)
  })

  /** From reading the note until the database fails, or somebody else has written. */
  const follow = Effect.gen(function* () {
    if (!isMigrated) yield* watched(Writer.asked(migrate(projection)))
    isMigrated = true
    // If the tables are to be filled again, it needs the history from the first entry on.
    yield* Effect.tapErrorTag(watched(writer.claim), "LogFailed", () => Effect.sync(() => reach(0)))
    // Another leader filled them without data that this node still reads. Wait until it has applied that erasure too.
    if (writer.note().erased > build().erased) yield* record.resync
    yield* passed
    while (writer.note().erased >= build().erased) {
      yield* applyDue
      yield* noteWhenDue
      yield* take
    }
  })

  const away = Effect.fnUntraced(function* ({ cause }: Writer.Away) {
    failing(`The database does not answer, or refuses the projection's tables: ${metOf(cause)}`)
    said.changed(name, "failing", (meanwhile) =>
      Effect.logWarning(`The projection ${name} lags: its database does not answer${meanwhile}`, cause)
    )
    running(yield* oldestWaitingMs)
    // At an event it may have grown longer.
    pauseMs = Math.min(pauseMs, awayBackoffMaxMs)
    yield* Effect.sleep(pauseMs)
    pauseMs *= 2
  })

  return yield* follow.pipe(
    Effect.catchTags({ Away: away, Overtaken: () => Effect.sleep(backoffMinMs) }),
    Effect.forever
  )
})

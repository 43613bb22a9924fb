/**
 * The rows of a projection as one leader writes them: each transaction has the rows of some events and the note behind
 * them, on condition that nobody else has written since. Knows nothing of operators (lead.ts).
 */
import { type Cause, Data, Effect, Random } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Feed } from "../Cluster/Feed.ts"
import { LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Projection/Event.ts"
import type { Sql } from "../Projection/Sql.ts"
import type { Position } from "../Reaction/Position.ts"
import * as Build from "./Build.ts"
import * as Note from "./Note.ts"
import { isAway, isOvertaken, Overtaken } from "./Refusal.ts"
import type { Step } from "./Step.ts"

/** The projection stops for as long as this node leads: the rows are not its own, or an event cannot be read. */
export class SqlStopped extends Data.TaggedError("SqlStopped")<{ readonly message: string }> {}

/** The database does not answer now. */
export class Away extends Data.TaggedError("Away")<{ readonly cause: Cause.Cause<unknown> }> {}

/** A transaction was rolled back because of an event. */
export interface Refused {
  /** The event, and its step among those of the transaction. Undefined if only the commit failed. */
  readonly at: { readonly step: number; readonly event: Event } | undefined
  readonly cause: Cause.Cause<unknown>
}

/** Why nothing was written, as far as is known: read the note again. */
export type NotWritten = Away | Overtaken

/** Writes the rows of one projection. After a failure call `claim` before anything else. */
export interface Writer<R> {
  /** The note as this leader read or wrote it last. */
  readonly note: () => Note.Note
  /** All entries through `index` are in the rows, and the first `count` events of the next. */
  readonly position: () => Position
  /** Reads the note, and empties the tables if they are of another build. */
  readonly claim: Effect.Effect<void, NotWritten | SqlStopped | LogFailed>
  /** Whether the note in the database is still the one that this leader knows. */
  readonly isCurrent: Effect.Effect<boolean, NotWritten>
  /** Applies steps in one transaction. Undefined once that is done. */
  readonly apply: (steps: ReadonlyArray<Step>) => Effect.Effect<Refused | undefined, NotWritten, R>
  /** Applies an event that was put aside, unless that is done already. The cause if it is refused. */
  readonly applyParked: (event: Event) => Effect.Effect<Cause.Cause<unknown> | undefined, NotWritten, R>
  /** Notes that the entries through `index` have no more events. */
  readonly pass: (index: number) => Effect.Effect<void, NotWritten>
}

/** What only the database can refuse. */
export const asked = <A, E, Needs>(work: Effect.Effect<A, E, Needs>): Effect.Effect<A, NotWritten, Needs> =>
  Effect.catchCause(work, (cause) => Effect.fail(isOvertaken(cause) ? new Overtaken() : new Away({ cause })))

/** Makes the writer of this leader. `build` is asked at each claim. */
export const make = Effect.fnUntraced(function* <R>(
  projection: Sql<R>,
  options: {
    readonly sql: SqlClient
    readonly nodeId: string
    readonly feed: Pick<Feed, "entryAfter" | "oldestIndex">
    readonly build: () => Build.Build
  }
): Effect.fn.Return<Writer<R>> {
  const { build, feed, sql } = options
  const { name, tables } = projection
  const notes = Note.make(sql, name)
  // The column has 128 characters, as many as the id of a node.
  const writer = `${options.nodeId.slice(0, 64)}.${yield* Random.nextIntBetween(0, 2 ** 48)}`
  let writesCount = 0
  const nextToken = () => `${writer}.${++writesCount}`
  /** Before the first claim one that no database has. */
  let note: Note.Note = { version: 0, models: "", origin: "", entry: 0, done: 0, erased: 0, token: "" }

  /** Writes the next note with `work`, or nothing. Nobody knows which of them after a failure. */
  const write = <E, Needs>(next: Note.Note, work: Effect.Effect<unknown, E, Needs>) =>
    Effect.andThen(
      sql.withTransaction(Effect.andThen(notes.swap(note.token, next), work)),
      Effect.sync(() => {
        note = next
      })
    )

  const fresh = (): Note.Note => {
    const { erased, models, origin, version } = build()
    return { version, models: Build.modelsText(models), origin, entry: 0, done: 0, erased, token: nextToken() }
  }

  const fillAgain = Effect.fnUntraced(function* (why: string) {
    const oldestIndex = feed.oldestIndex()
    if (oldestIndex > feed.entryAfter(0)) {
      const message = `${why}, so its tables are to be filled again, but this node holds the history from ${oldestIndex} on`
      return yield* new LogFailed({ message, reason: "compacted" })
    }
    yield* asked(write(fresh(), notes.empty(tables)))
    yield* Effect.logInfo(`The projection ${name} fills its tables again: ${why}`)
  })

  return {
    note: () => note,
    position: () => ({ index: note.entry, count: note.done }),
    claim: Effect.gen(function* () {
      const found = yield* asked(notes.read)
      if (found === undefined) {
        const first = fresh()
        yield* Effect.catchCause(notes.insert(first), (cause) =>
          Effect.flatMap(
            asked(notes.read),
            (other): Effect.Effect<never, NotWritten> =>
              // Another leader may have done the same.
              Effect.fail(other === undefined ? new Away({ cause }) : new Overtaken())
          )
        )
        note = first
        return
      }
      const verdict = Build.judge(found, build())
      if (verdict._tag === "refused") return yield* new SqlStopped({ message: verdict.why })
      note = found
      if (verdict._tag === "again") yield* fillAgain(verdict.why)
    }),
    isCurrent: Effect.map(asked(notes.read), (found) => found?.token === note.token),
    apply: (steps) =>
      Effect.suspend(() => {
        let at: Refused["at"]
        let isNoted = false
        const to = steps[steps.length - 1]?.to ?? { index: note.entry, count: note.done }
        const work = Effect.gen(function* () {
          isNoted = true
          for (const [step, { events, parked }] of steps.entries()) {
            for (const event of events) {
              at = { step, event }
              yield* Effect.suspend(() => projection.apply(event, sql))
            }
            at = undefined
            if (parked !== undefined) yield* notes.park(parked)
          }
        })
        return Effect.matchCauseEffect(write({ ...note, entry: to.index, done: to.count, token: nextToken() }, work), {
          onSuccess: () => Effect.succeed(undefined),
          onFailure: (cause): Effect.Effect<Refused, NotWritten> => {
            if (isOvertaken(cause)) return Effect.fail(new Overtaken())
            // If the note itself was refused, no event is to blame.
            return isAway(cause) || !isNoted ? Effect.fail(new Away({ cause })) : Effect.succeed({ at, cause })
          }
        })
      }),
    applyParked: (event) => {
      const work = Effect.gen(function* () {
        // The tables may have been filled again since, or it was applied already and only the answer was lost.
        if (!(yield* notes.isParked(event))) return
        yield* Effect.suspend(() => projection.apply(event, sql))
        yield* notes.unpark(event)
      })
      return Effect.matchCauseEffect(
        Effect.suspend(() => write({ ...note, token: nextToken() }, work)),
        {
          onSuccess: () => Effect.succeed(undefined),
          onFailure: (cause): Effect.Effect<Cause.Cause<unknown>, NotWritten> => {
            if (isOvertaken(cause)) return Effect.fail(new Overtaken())
            return isAway(cause) ? Effect.fail(new Away({ cause })) : Effect.succeed(cause)
          }
        }
      )
    },
    pass: (index) =>
      Effect.suspend(() => asked(write({ ...note, entry: index, done: 0, token: nextToken() }, Effect.void)))
  }
})

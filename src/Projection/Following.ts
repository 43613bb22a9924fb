/**
 * One follower of the feed, with its own fiber and position: a slow or failed follower does not affect others. It takes
 * entries in order, each once, from its first position on.
 */
import { Effect, type Scope } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { ProjectionFailed, type ProjectionFailure } from "./Failure.ts"
import * as Position from "./Position.ts"

/** The most payload to take at once, so that a follower that catches up does not block the node for long. */
const pageMaxBytes = 64 * 1024
/** The pause after a failed read of the log. */
const retryMs = 1_000

/** The progress of a follower. */
export interface Following {
  /** The last entry that it reflects. */
  readonly index: () => number
  /** Why it ended, if it has. */
  readonly failure: () => ProjectionFailure | undefined
  /** Waits until it reflects `index`, without a limit. */
  readonly until: (index: number) => Effect.Effect<void, ProjectionFailure>
}

/**
 * Follows `feed` from a position on and moves that position, until the scope closes. `take` returns the index that it
 * reached; it may take fewer entries than it gets.
 */
export const follow = Effect.fnUntraced(function* (options: {
  readonly position: Position.Position
  readonly feed: Feed
  readonly take: (entries: ReadonlyArray<AppliedEntry>) => Effect.Effect<number, ProjectionFailed>
}): Effect.fn.Return<Following, never, Scope.Scope> {
  const { feed, position, take } = options
  const { name } = position
  const moved = Condition.make()

  /** The last warning about a log that cannot be read. It tries each second, but logs the same warning once. */
  let said: string | undefined

  const page = Effect.gen(function* () {
    const entries = yield* feed.read({ fromIndex: Position.nextIndex(position), maxBytes: pageMaxBytes })
    if (said !== undefined) yield* Effect.logInfo(`The projection ${name} reads the log again`)
    said = undefined
    Position.given(position, entries, feed.entryAfter(position.index))
    position.index = yield* take(entries)
    moved.changed()
    yield* Effect.yieldNow
  })

  const end = (met: ProjectionFailure) =>
    Effect.andThen(
      Effect.sync(() => {
        Position.end(position, met)
        moved.changed()
      }),
      Effect.logError(`The projection ${name} stops at ${met.index}: ${met.message}`)
    )

  const unreadable = (failed: LogFailed | LogCorrupt) => {
    const unavailable = Position.endOf(position, failed)
    if (unavailable === undefined) {
      const isNews = failed.message !== said
      said = failed.message
      const warned = isNews ? Effect.logWarning(`The projection ${name} cannot read the log`, failed) : Effect.void
      return Effect.andThen(warned, Effect.sleep(retryMs))
    }
    if (failed._tag === "LogCorrupt") return Effect.fail(unavailable)
    // The node fetches from its peers what its history lacks.
    return end(unavailable).pipe(
      Effect.andThen(feed.reaches(unavailable.index)),
      Effect.andThen(
        Effect.suspend(() => {
          Position.resume(position)
          moved.changed()
          return Effect.logInfo(`The projection ${name} goes on at ${unavailable.index}`)
        })
      )
    )
  }

  yield* Effect.forever(Effect.catchTags(page, { LogFailed: unreadable, LogCorrupt: unreadable })).pipe(
    Effect.catch(end),
    // This does not catch the fiber's own interruption.
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logError(`The projection ${name} failed with a defect`, cause),
        end(
          new ProjectionFailed({
            projection: name,
            index: Position.nextIndex(position),
            message: "It failed with a defect"
          })
        )
      )
    ),
    Effect.forkScoped
  )

  return {
    index: () => position.index,
    failure: () => position.failure,
    until: (awaited) =>
      Effect.andThen(
        moved.until(() => position.index >= awaited || position.failure !== undefined),
        Effect.suspend(() => (position.failure === undefined ? Effect.void : Effect.fail(position.failure)))
      )
  }
})

/**
 * One follower of the feed: its own fiber and its own position, so that one that is slow or fails slows nothing down
 * and stops nobody else. It takes entries in order, each once, from the position where it begins.
 */
import { Effect, type Scope } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { ProjectionFailed, type ProjectionFailure } from "./Failure.ts"
import * as Position from "./Position.ts"

/** Payload that is taken at once: what a follower that catches up keeps its node from other work for. */
const pageMaxBytes = 64 * 1024
/** How long after a failed read of the log it is tried again. */
const retryMs = 1_000

/** Where a follower is. */
export interface Following {
  /** The last entry that it reflects. */
  readonly index: () => number
  /** What ended it, if anything has. */
  readonly failure: () => ProjectionFailure | undefined
  /** Waits until it reflects `index`, for ever if it never does. */
  readonly until: (index: number) => Effect.Effect<void, ProjectionFailure>
}

/**
 * Follows `feed` from a position on, which it moves, until the scope closes. `take` gives the index that it has come to,
 * of all that it was given or of less.
 */
export const follow = Effect.fnUntraced(function* (options: {
  readonly position: Position.Position
  readonly feed: Feed
  readonly take: (entries: ReadonlyArray<AppliedEntry>) => Effect.Effect<number, ProjectionFailed>
}): Effect.fn.Return<Following, never, Scope.Scope> {
  const { feed, position, take } = options
  const { name } = position
  const moved = Condition.make()

  const page = Effect.gen(function* () {
    const entries = yield* feed.read({ fromIndex: Position.nextIndex(position), maxBytes: pageMaxBytes })
    Position.given(position, entries)
    position.index = yield* take(entries)
    moved.changed()
    yield* Effect.yieldNow
  })

  const unreadable = (failed: LogFailed | LogCorrupt) => {
    const unavailable = Position.endOf(position, failed)
    if (unavailable !== undefined) return Effect.fail(unavailable)
    return Effect.andThen(Effect.logWarning(`${name} cannot read the log`, failed), Effect.sleep(retryMs))
  }

  const end = (met: ProjectionFailure) =>
    Effect.andThen(
      Effect.sync(() => {
        Position.end(position, met)
        moved.changed()
      }),
      Effect.logError(`The projection ${name} stops at ${met.index}: ${met.message}`)
    )

  yield* Effect.forever(Effect.catchTags(page, { LogFailed: unreadable, LogCorrupt: unreadable })).pipe(
    Effect.catch(end),
    // Of this fiber's own interruption it hears nothing.
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logError(`The projection ${name} met a defect`, cause),
        end(new ProjectionFailed({ projection: name, index: Position.nextIndex(position), message: "It met a defect" }))
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

/**
 * One follower of the feed: its own fiber and its own position, so that one that is slow or fails slows nothing down
 * and stops nobody else. It takes entries in order, each once, from the position where it begins.
 */
import { Effect, type Scope } from "effect"
import { invariant } from "../Invariant.ts"
import * as Condition from "../Raft/Condition.ts"
import type { AppliedEntry, Feed } from "../Raft/Feed.ts"
import { ProjectionFailed, type ProjectionFailure, ProjectionUnavailable } from "./Failure.ts"

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

/** Follows `feed` until the scope closes. `take` gives the index that it has come to, of all that it was given or of less. */
export const follow = Effect.fnUntraced(function* (options: {
  readonly name: string
  readonly feed: Feed
  readonly fromIndex: number
  readonly take: (entries: ReadonlyArray<AppliedEntry>) => Effect.Effect<number, ProjectionFailed>
}): Effect.fn.Return<Following, never, Scope.Scope> {
  const { feed, name, take } = options
  const moved = Condition.make()
  let index = options.fromIndex - 1
  let failure: ProjectionFailure | undefined

  const page = Effect.gen(function* () {
    const entries = yield* feed.read({ fromIndex: index + 1, maxBytes: pageMaxBytes })
    invariant((entries[0]?.index ?? index + 1) === index + 1, `${name} was given a gap after ${index}`)
    index = yield* take(entries)
    moved.changed()
    yield* Effect.yieldNow
  }).pipe(
    Effect.catchTag("LogFailed", (failed) =>
      failed.reason === "compacted"
        ? Effect.fail(new ProjectionUnavailable({ projection: name, index: index + 1, message: failed.message }))
        : Effect.andThen(Effect.logWarning(`${name} cannot read the log`, failed), Effect.sleep(retryMs))
    )
  )

  const end = (met: ProjectionFailure) =>
    Effect.andThen(
      Effect.sync(() => {
        failure = met
        index = met.index - 1
        moved.changed()
      }),
      Effect.logError(`The projection ${name} stops at ${met.index}: ${met.message}`)
    )

  yield* Effect.forever(page).pipe(
    Effect.catchTags({
      ProjectionFailed: end,
      ProjectionUnavailable: end,
      LogCorrupt: ({ message }) => end(new ProjectionUnavailable({ projection: name, index: index + 1, message }))
    }),
    // Of this fiber's own interruption it hears nothing.
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logError(`The projection ${name} met a defect`, cause),
        end(new ProjectionFailed({ projection: name, index: index + 1, message: "It met a defect" }))
      )
    ),
    Effect.forkScoped
  )

  return {
    index: () => index,
    failure: () => failure,
    until: (awaited) =>
      Effect.andThen(
        moved.until(() => index >= awaited || failure !== undefined),
        Effect.suspend(() => (failure === undefined ? Effect.void : Effect.fail(failure)))
      )
  }
})

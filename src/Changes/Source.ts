/**
 * A source of things to tell a follower, and the stream of them: what comes, a bookmark now and then, and a last one
 * before the failure that ends it. A follower that stops reading stops the stream, and nothing else.
 */
import { type Cause, Effect, Stream } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { Problem } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { draining, type NotDone } from "../Raft/node/Outcome.ts"
import { removed } from "../Raft/node/Removal.ts"

/** A bookmark comes at least every 15 s. This leaves some time to make and send it. */
const bookmarkEveryMs = 10_000
const confirmMaxMs = 1_000

/** Tells one follower what it has not seen. Nobody else uses it. */
export interface Source<out A> {
  /** Whether {@link take} has something now. */
  readonly isReady: () => boolean
  /** Waits until it has. It may be interrupted. */
  readonly ready: Effect.Effect<void, Problem>
  /** Returns what comes next, perhaps nothing. Once it has returned, this counts as told. */
  readonly take: Effect.Effect<ReadonlyArray<A>, Problem>
  /** How far everything is told that `take` has returned. */
  readonly bookmark: Effect.Effect<A>
  /** Runs before each bookmark but the last, for at most a second, so that the bookmark can say how old the state may be. */
  readonly confirm: Effect.Effect<void>
}

/** The parts of a member that say when its streams end. */
export type Ending = Pick<Member["Service"], "isDraining" | "isRemoved" | "until">

/**
 * Streams what a source tells, beginning with a bookmark. It fails when the source does, and when the node begins to
 * stop or is removed; the last thing before the failure is a bookmark.
 */
export const streamOf = <A>(source: Source<A>, member: Ending): Stream.Stream<A, Problem> =>
  Stream.fromPull(
    Effect.sync(() => {
      let bookmarkAtMs = Number.NEGATIVE_INFINITY
      let failure: Problem | undefined

      const bookmark = Effect.gen(function* () {
        const told = yield* source.bookmark
        bookmarkAtMs = (yield* monotonicMs) + bookmarkEveryMs
        return [told] as const
      })
      const confirmed = Effect.andThen(Effect.timeoutOption(source.confirm, confirmMaxMs), bookmark)
      const ended = Effect.andThen(
        member.until(() => endOf(member) !== undefined),
        Effect.suspend(() => Effect.fail((endOf(member) ?? draining).toProblem()))
      )

      const next: Effect.Effect<ReadonlyArray<A>, Problem> = Effect.gen(function* () {
        const end = endOf(member)
        if (end !== undefined) return yield* Effect.fail(end.toProblem())
        const leftMs = bookmarkAtMs - (yield* monotonicMs)
        if (leftMs <= 0) return yield* confirmed
        // The race costs more than a step.
        if (source.isReady()) return yield* source.take
        const isReady = yield* Effect.raceAllFirst([
          Effect.as(source.ready, true),
          Effect.as(Effect.sleep(leftMs), false),
          ended
        ])
        return isReady ? yield* source.take : yield* confirmed
      })

      const pull = Effect.suspend((): Effect.Effect<readonly [A, ...Array<A>], Problem | Cause.Done> => {
        if (failure !== undefined) return Effect.fail(failure)
        return Effect.matchEffect(next, {
          onSuccess: (told) => (isFilled(told) ? Effect.succeed(told) : Effect.andThen(Effect.yieldNow, pull)),
          onFailure: (met) => {
            failure = met
            return bookmark
          }
        })
      })
      return pull
    })
  )

const isFilled = <A>(told: ReadonlyArray<A>): told is readonly [A, ...Array<A>] => told.length > 0

/** Why the streams of a node end; undefined while they go on. */
const endOf = (member: Ending): NotDone | undefined => {
  if (member.isRemoved()) return removed
  return member.isDraining() ? draining : undefined
}

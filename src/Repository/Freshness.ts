/**
 * How new the replicated tables must be for a read, and waiting until they are. Confirming with a quorum is Raft's.
 * docs/http.md, "Reads".
 */
import { Data, Effect, type Scope, Semaphore } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import { removed } from "../Raft/node/Removal.ts"
import { suspect } from "../Raft/node/StateWatch.ts"

/**
 * `linearizable`: as new as anything that was answered when the read began; a quorum confirms. `session`: at least as
 * new as an index that the reader has seen, whatever the cluster does meanwhile. `local`: as it is, and not older than
 * `staleMaxMs` if that is given.
 */
export type Consistency =
  | { readonly _tag: "Linearizable" }
  | { readonly _tag: "Session"; readonly minIndex: number }
  | { readonly _tag: "Local"; readonly staleMaxMs?: number }

export const linearizable: Consistency = { _tag: "Linearizable" }

/** The index that a session has seen is not applied here within the time that it may wait. */
export class NotCaughtUp extends Data.TaggedError("NotCaughtUp")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("not-caught-up", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** No quorum confirms that the tables are as new as was asked for. */
export class TooStale extends Data.TaggedError("TooStale")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("too-stale", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/**
 * What this node has may be older than what was read here before it started: no quorum has confirmed it since, or a
 * projection has not come to what was confirmed.
 */
export const starting = new NotDone({
  reason: "starting",
  message: "This node has just started, and no quorum has confirmed yet that what it has is as new as before"
})

/** Why a read is not answered. */
export type ReadFailure = NotDone | NotCaughtUp | TooStale

/** How old at most what is read now can be: of every local read of what is replicated, and of no other. */
export interface Freshness {
  readonly staleMs?: number
}

/** How long a session may wait for its index. */
export const sessionWaitMs = 5_000
/** How often a session that waits looks again. */
const sessionPollMs = 5
/** A local read that finds its last confirmation older than this has the next one begun, and does not wait for it. */
const confirmEveryMs = 100

/** Waits until the tables of `member` are as new as is asked. */
export type Freshen = (consistency: Consistency) => Effect.Effect<Freshness, ReadFailure>

export const make = Effect.fnUntraced(function* (
  member: Pick<Member["Service"], "isStopping" | "isRemoved" | "node" | "readIndex" | "staleMs">
): Effect.fn.Return<Freshen, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  const appliedIndex = () => member.node()?.appliedIndex() ?? 0
  const staleMs = (nowMs: number) => member.staleMs(appliedIndex(), nowMs)

  /** A node that was removed answers no read, however old it may be. */
  const isMember = Effect.suspend(() => (member.isRemoved() ? Effect.fail(removed) : Effect.void))

  const confirm = Effect.catchIf(
    member.readIndex,
    ({ reason }) => reason === "no-quorum",
    (refused) => Effect.flatMap(monotonicMs, (nowMs) => Effect.fail(staleMs(nowMs) === undefined ? starting : refused))
  )

  /** In the background, unless one is under way. A refusal is no news: the age goes on growing. */
  const confirmSoon = Effect.forkIn(oneAtATime.withPermitsIfAvailable(1)(Effect.ignore(confirm)), scope)

  const waitFor = Effect.fnUntraced(function* (minIndex: number) {
    const beganMs = yield* monotonicMs
    while (true) {
      yield* isMember
      const nowMs = yield* monotonicMs
      const isStarting = staleMs(nowMs) === undefined
      if (!isStarting && appliedIndex() >= minIndex) return {}
      if (nowMs >= beganMs + sessionWaitMs) {
        const message = `Index ${minIndex} is not applied here within ${sessionWaitMs} ms: ${appliedIndex()} is`
        return yield* isStarting ? starting : new NotCaughtUp({ message })
      }
      if (member.isStopping()) return yield* new NotCaughtUp({ message: "This node is about to stop" })
      yield* Effect.sleep(sessionPollMs)
    }
  })

  /** The age is of the moment at which the read began: what is confirmed after it is not old. */
  const local = Effect.fnUntraced(function* (staleMaxMs: number) {
    yield* isMember
    const nowMs = yield* monotonicMs
    const foundMs = staleMs(nowMs)
    if (foundMs === undefined) return yield* starting
    if (staleMaxMs < foundMs) {
      const message = `No quorum confirms that this node is at most ${staleMaxMs} ms behind`
      yield* Effect.mapError(confirm, () => new TooStale({ message }))
    } else if (confirmEveryMs < foundMs) yield* confirmSoon
    return { staleMs: staleMs(nowMs) ?? foundMs }
  })

  /** A state that differs from that of a majority is read by nobody, however little is asked of it. */
  const believed = Effect.suspend(() =>
    member.node()?.states.isSuspect() === true ? Effect.fail(suspect) : Effect.void
  )

  const freshen: Freshen = (consistency) => {
    switch (consistency._tag) {
      case "Linearizable":
        return Effect.as(confirm, {})
      case "Session":
        return waitFor(consistency.minIndex)
      case "Local":
        return local(consistency.staleMaxMs ?? Number.POSITIVE_INFINITY)
    }
  }
  return (consistency) =>
    Effect.andThen(
      believed,
      Effect.tap(freshen(consistency), () => believed)
    )
})

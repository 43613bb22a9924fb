/**
 * Waits until the replicated tables are new enough for a read. Raft confirms with a quorum. docs/http.md, "Reads".
 */
import { Data, Effect, type Scope, Semaphore } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import { removed } from "../Raft/node/Removal.ts"
import { suspect } from "../Raft/node/StateWatch.ts"

/**
 * How new the answer to a read must be. `Linearizable`: it reflects every write that was answered before the read began;
 * a quorum confirms that. `Session`: it reflects the log at least up to `minIndex`. `Local`: it is what this node has,
 * at most `staleMaxMs` old if that is given.
 */
export type Consistency =
  | { readonly _tag: "Linearizable" }
  | { readonly _tag: "Session"; readonly minIndex: number }
  | { readonly _tag: "Local"; readonly staleMaxMs?: number }

/** The default of every read. */
export const linearizable: Consistency = { _tag: "Linearizable" }

/** The node did not apply the index of a session in time. Answers with 503. */
export class NotCaughtUp extends Data.TaggedError("NotCaughtUp")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("not-caught-up", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** No quorum confirmed that this node is within the `staleMaxMs` of a local read. Answers with 503. */
export class TooStale extends Data.TaggedError("TooStale")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("too-stale", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/**
 * The node has just started. Its data may be older than its answers before: no quorum has confirmed it since, or a
 * projection has not reached the confirmed index.
 */
export const starting = new NotDone({
  reason: "starting",
  message: "This node has just started, and no quorum has confirmed yet that it is up to date: try again"
})

/** Why this node cannot answer a read. */
export type ReadFailure = NotDone | NotCaughtUp | TooStale

/** The greatest possible age of an answer, in ms. Only local reads of replicated data have it. */
export interface Freshness {
  readonly staleMs?: number
}

/** How long a session may wait for its index. */
export const sessionWaitMs = 5_000
/** How often a waiting session checks again. */
const sessionPollMs = 5
/** If the last confirmation is older than this, a local read starts the next one and does not wait for it. */
const confirmEveryMs = 100

/** Waits until the tables are as new as the consistency asks. */
export type Freshen = (consistency: Consistency) => Effect.Effect<Freshness, ReadFailure>

/** Makes the wait for one member. */
export const make = Effect.fnUntraced(function* (
  member: Pick<Member["Service"], "isStopping" | "isRemoved" | "node" | "readIndex" | "staleMs">
): Effect.fn.Return<Freshen, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  const appliedIndex = () => member.node()?.appliedIndex() ?? 0
  const staleMs = (nowMs: number) => member.staleMs(appliedIndex(), nowMs)

  /** A removed node answers no reads, not even stale ones. */
  const isMember = Effect.suspend(() => (member.isRemoved() ? Effect.fail(removed) : Effect.void))

  const confirm = Effect.catchIf(
    member.readIndex,
    ({ reason }) => reason === "no-quorum",
    (refused) => Effect.flatMap(monotonicMs, (nowMs) => Effect.fail(staleMs(nowMs) === undefined ? starting : refused))
  )

  /** Confirms in the background, unless a confirmation is under way. Ignores a failure: the age just keeps growing. */
  const confirmSoon = Effect.forkIn(oneAtATime.withPermitsIfAvailable(1)(Effect.ignore(confirm)), scope)

  const waitFor = Effect.fnUntraced(function* (minIndex: number) {
    const beganMs = yield* monotonicMs
    while (true) {
      yield* isMember
      const nowMs = yield* monotonicMs
      const isStarting = staleMs(nowMs) === undefined
      if (!isStarting && appliedIndex() >= minIndex) return {}
      if (nowMs >= beganMs + sessionWaitMs) {
        const message = `This node did not apply index ${minIndex} within ${sessionWaitMs} ms, it is at ${appliedIndex()}: try again, or ask another node`
        return yield* isStarting ? starting : new NotCaughtUp({ message })
      }
      if (member.isStopping()) return yield* new NotCaughtUp({ message: "This node is stopping: ask another node" })
      yield* Effect.sleep(sessionPollMs)
    }
  })

  /** The age counts from the moment at which the read began. */
  const local = Effect.fnUntraced(function* (staleMaxMs: number) {
    yield* isMember
    const nowMs = yield* monotonicMs
    const foundMs = staleMs(nowMs)
    if (foundMs === undefined) return yield* starting
    if (staleMaxMs < foundMs) {
      const message = `No quorum confirmed that this node is at most ${staleMaxMs} ms behind: try again, or allow more`
      yield* Effect.mapError(confirm, () => new TooStale({ message }))
    } else if (confirmEveryMs < foundMs) yield* confirmSoon
    return { staleMs: staleMs(nowMs) ?? foundMs }
  })

  /** A node whose state differs from the state of a majority answers no reads at all. */
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

/**
 * Waits until the replicated tables are new enough for a read. Raft confirms with a quorum. docs/http.md, "Reads".
 */
import { Clock, Data, Effect, Exit, FiberSet, type Scope } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import { removed } from "../Raft/node/Removal.ts"
import { type Begin, beginEffect, mapOutcome, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
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
/** If the last confirmation is older than this, a local read starts the next one and does not wait for it. */
const confirmEveryMs = 100

/** The wait for tables that are as new as a read asks. */
export interface Freshening {
  /** Waits until the tables are as new as the consistency asks, without a fiber (Settle.ts). */
  readonly beginFreshen: (consistency: Consistency) => Begin<Freshness, ReadFailure>
  /** {@link beginFreshen} as an Effect. */
  readonly freshen: (consistency: Consistency) => Effect.Effect<Freshness, ReadFailure>
}

const fresh = Exit.succeed<Freshness>({})
const stopping = Exit.fail(new NotCaughtUp({ message: "This node is stopping: ask another node" }))

/** Makes the wait for one member. */
export const make = Effect.fnUntraced(function* (
  member: Pick<Member["Service"], "isStopping" | "isRemoved" | "node" | "readIndexUnsafe" | "staleMs" | "until">
): Effect.fn.Return<Freshening, never, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const appliedIndex = () => member.node()?.appliedIndex() ?? 0
  const staleMs = (nowMs: number) => member.staleMs(appliedIndex(), nowMs)

  /** A node whose state differs from the state of a majority answers no reads at all. */
  const isSuspect = () => member.node()?.states.isSuspect() === true

  const confirm: Begin<Freshness, NotDone> = mapOutcome(member.readIndexUnsafe, (exit) => {
    if (Exit.isSuccess(exit)) return fresh
    const isStarting = staleMs(nowMs()) === undefined
    return Exit.mapError(Exit.failCause(exit.cause), (refused) =>
      isStarting && refused.reason === "no-quorum" ? starting : refused
    )
  })

  /** Confirms in the background, unless a confirmation is under way. Ignores a failure: the age just keeps growing. */
  let isConfirming = false
  const confirmSoon = (): void => {
    if (isConfirming) return
    isConfirming = true
    confirm(() => {
      isConfirming = false
    })
  }

  /** How a session's read ends now; undefined while it waits. A removed node answers no reads, not even stale ones. */
  const endOf = (minIndex: number): Exit.Exit<Freshness, ReadFailure> | undefined => {
    if (member.isRemoved()) return Exit.fail(removed)
    if (staleMs(nowMs()) !== undefined && appliedIndex() >= minIndex) return fresh
    return member.isStopping() ? stopping : undefined
  }

  const late = (minIndex: number): Exit.Exit<never, ReadFailure> => {
    const message = `This node did not apply index ${minIndex} within ${sessionWaitMs} ms, it is at ${appliedIndex()}: try again, or ask another node`
    return Exit.fail(staleMs(nowMs()) === undefined ? starting : new NotCaughtUp({ message }))
  }

  const waitFor = (minIndex: number): Effect.Effect<Freshness, ReadFailure> =>
    member
      .until(() => endOf(minIndex) !== undefined)
      .pipe(
        Effect.timeoutOption(sessionWaitMs),
        Effect.flatMap(() => endOf(minIndex) ?? late(minIndex))
      )

  const session =
    (minIndex: number): Begin<Freshness, ReadFailure> =>
    (settle) => {
      const end = endOf(minIndex)
      return end === undefined ? beginEffect(fork, waitFor(minIndex), settle) : settleNow(settle, end)
    }

  /** The age counts from the moment at which the read began. */
  const local =
    (staleMaxMs: number): Begin<Freshness, ReadFailure> =>
    (settle) => {
      if (member.isRemoved()) return settleNow(settle, Exit.fail(removed))
      const beganMs = nowMs()
      const foundMs = staleMs(beganMs)
      if (foundMs === undefined) return settleNow(settle, Exit.fail(starting))
      const aged = (): Freshness => ({ staleMs: staleMs(beganMs) ?? foundMs })
      if (staleMaxMs < foundMs) {
        const message = `No quorum confirmed that this node is at most ${staleMaxMs} ms behind: try again, or allow more`
        const confirmed = mapOutcome(confirm, (exit) =>
          Exit.mapBoth(exit, { onSuccess: aged, onFailure: () => new TooStale({ message }) })
        )
        return confirmed(settle)
      }
      if (confirmEveryMs < foundMs) confirmSoon()
      return settleNow(settle, Exit.succeed(aged()))
    }

  const begin = (consistency: Consistency): Begin<Freshness, ReadFailure> => {
    switch (consistency._tag) {
      case "Linearizable":
        return confirm
      case "Session":
        return session(consistency.minIndex)
      case "Local":
        return local(consistency.staleMaxMs ?? Number.POSITIVE_INFINITY)
    }
  }

  const beginFreshen: Freshening["beginFreshen"] = (consistency) => {
    const freshened = mapOutcome(begin(consistency), (exit) =>
      Exit.isSuccess(exit) && isSuspect() ? Exit.fail(suspect) : exit
    )
    return (settle) => (isSuspect() ? settleNow(settle, Exit.fail(suspect)) : freshened(settle))
  }

  return { beginFreshen, freshen: (consistency) => outcomeOf(beginFreshen(consistency)) }
})

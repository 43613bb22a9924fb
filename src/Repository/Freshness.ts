/**
 * How new the replicated tables must be for a read, and waiting until they are. Confirming with a quorum is Raft's.
 * HTTP contract, "Reads".
 */
import { Data, Effect, type Scope, Semaphore } from "effect"
import type { Member } from "../Raft/Member.ts"
import { monotonicMs } from "../Raft/MonotonicTime.ts"
import type { NotDone } from "../Raft/Outcome.ts"

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
export class NotCaughtUp extends Data.TaggedError("NotCaughtUp")<{ readonly message: string }> {}

/** No quorum confirms that the tables are as new as was asked for. */
export class TooStale extends Data.TaggedError("TooStale")<{ readonly message: string }> {}

/** Why a read is not answered. */
export type ReadFailure = NotDone | NotCaughtUp | TooStale

/** How old at most what is read now can be; undefined where nothing has confirmed it yet, or nothing need. */
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
  member: Pick<Member["Service"], "hasGivenUp" | "node" | "readIndex">
): Effect.fn.Return<Freshen, never, Scope.Scope> {
  const scope = yield* Effect.scope
  /** All that was committed when this began is applied here. A pause of the process counts: no clock stands still. */
  let confirmedMs: number | undefined
  const oneAtATime = yield* Semaphore.make(1)

  const confirm = Effect.gen(function* () {
    const beganMs = yield* monotonicMs
    yield* member.readIndex
    confirmedMs = Math.max(confirmedMs ?? 0, beganMs)
  })

  /** In the background, unless one is under way. A refusal is no news: the age goes on growing. */
  const confirmSoon = Effect.forkIn(oneAtATime.withPermitsIfAvailable(1)(Effect.ignore(confirm)), scope)

  const waitFor = Effect.fnUntraced(function* (minIndex: number) {
    const beganMs = yield* monotonicMs
    while (true) {
      const appliedIndex = member.node()?.appliedIndex() ?? 0
      if (appliedIndex >= minIndex) return {}
      if ((yield* monotonicMs) >= beganMs + sessionWaitMs) {
        const message = `Index ${minIndex} is not applied here within ${sessionWaitMs} ms: ${appliedIndex} is`
        return yield* new NotCaughtUp({ message })
      }
      if (member.hasGivenUp()) return yield* new NotCaughtUp({ message: "This node is about to stop" })
      yield* Effect.sleep(sessionPollMs)
    }
  })

  /** The age is of the moment at which the read began: what is confirmed after it is not old. */
  const local = Effect.fnUntraced(function* (staleMaxMs: number) {
    const nowMs = yield* monotonicMs
    const ageMs = () => (confirmedMs === undefined ? undefined : Math.max(0, nowMs - confirmedMs))
    if (staleMaxMs < (ageMs() ?? Number.POSITIVE_INFINITY)) {
      const message = `No quorum confirms that this node is at most ${staleMaxMs} ms behind`
      yield* Effect.mapError(confirm, () => new TooStale({ message }))
    } else if (confirmEveryMs < (ageMs() ?? Number.POSITIVE_INFINITY)) yield* confirmSoon
    const staleMs = ageMs()
    return staleMs === undefined ? {} : { staleMs }
  })

  return (consistency) => {
    switch (consistency._tag) {
      case "Linearizable":
        return Effect.as(confirm, {})
      case "Session":
        return waitFor(consistency.minIndex)
      case "Local":
        return local(consistency.staleMaxMs ?? Number.POSITIVE_INFINITY)
    }
  }
})

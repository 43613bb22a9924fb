/**
 * Tries a request at one leader after another, within one deadline: an election meanwhile costs time, and causes no
 * error. Once the outcome of one attempt is unknown, the request stays unknown, unless a later answer covers all copies
 * of the request (C18).
 */
import { Effect } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"

/** Every request is answered within this time, reads included. */
export const answerTimeoutMs = 2_500
/** How long a request waits for a leader. It is longer than an election takes. */
const leaderWaitMs = 1_500
/** The time that an attempt normally needs. */
const attemptMinMs = 500
/** How often a request that waits for a leader looks again. */
const leaderPollMs = 10

/** This node's knowledge of its leader. */
export interface Leadership {
  readonly leader: () => NodeId | undefined
  /** Since when there is no leader, on the monotonic clock; undefined while there is one. */
  readonly leaderlessSinceMs: () => number | undefined
  /** Why this node makes no more attempts: it is about to stop, or it was removed. */
  readonly refused: () => NotDone | undefined
}

const noLeader = new NotDone({ reason: "no-quorum", message: "No leader is reachable: this node may be in a minority" })

/** Whether another leader may do it: the leader was lost, is about to leave or has no room. */
const mayPass = ({ reason }: NotDone): boolean => reason !== "overloaded" && reason !== "upgrade-required"

/**
 * Sends attempts to the leader until one is answered. It repeats an attempt that was certainly not done for want of a
 * leader. It retries unknown outcomes only if the request is idempotent (`isRepeatable`). After an unknown outcome it
 * takes no answer for which `holdsForCopies` is false, since that answer covers its own attempt only. A node that has
 * long had no leader fails at once.
 */
export const untilAnswered = <A, E extends NotDone | UnknownOutcome>(options: {
  readonly leadership: Leadership
  readonly isRepeatable: boolean
  readonly holdsForCopies?: (answer: A) => boolean
  readonly attempt: (leader: NodeId, timeoutMs: number) => Effect.Effect<A, E>
}): Effect.Effect<A, E | NotDone> =>
  Effect.gen(function* () {
    const { leader, leaderlessSinceMs, refused } = options.leadership
    const beganMs = yield* monotonicMs
    let unknown: E | undefined
    let refusal: E | NotDone = noLeader
    while (true) {
      const refusedHere = refused()
      if (refusedHere !== undefined) return yield* Effect.fail(unknown ?? refusedHere)
      const target = leader()
      if (target !== undefined) {
        const leftMs = beganMs + answerTimeoutMs - (yield* monotonicMs)
        const tried = yield* Effect.result(options.attempt(target, leftMs))
        if (tried._tag === "Success") {
          if (unknown === undefined || options.holdsForCopies?.(tried.success) !== false) return tried.success
          return yield* Effect.fail(unknown)
        }
        refusal = tried.failure
        if (refusal instanceof UnknownOutcome) unknown = refusal
        const again = refusal instanceof UnknownOutcome ? options.isRepeatable : mayPass(refusal)
        if (!again) return yield* Effect.fail(unknown ?? refusal)
      }
      const nowMs = yield* monotonicMs
      const successor = leader()
      // A new leader that came late is still tried, unless too little time is left for its answer.
      const endMs =
        successor !== undefined && successor !== target
          ? beganMs + answerTimeoutMs - attemptMinMs
          : Math.min(beganMs, leaderlessSinceMs() ?? beganMs) + leaderWaitMs
      if (nowMs >= endMs) return yield* Effect.fail(unknown ?? refusal)
      yield* Effect.sleep(leaderPollMs)
    }
  })

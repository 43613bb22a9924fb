/**
 * How a request finds its leader: one attempt after another, within one deadline, so that an election in between costs
 * time and not an error. After one attempt whose outcome is unknown the request stays unknown, whatever the next ones
 * say, unless one of them tells what became of all copies of the request (C18).
 */
import { Effect } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"

/** Every request is answered within this time, reads included. */
export const answerTimeoutMs = 2_500
/** How long a request waits for a leader: longer than an election takes. */
const leaderWaitMs = 1_500
/** What an attempt takes at most, but for misfortune. */
const attemptMinMs = 500
/** How often a request that waits for a leader looks again. */
const leaderPollMs = 10

/** What this node knows of its leader. */
export interface Leadership {
  readonly leader: () => NodeId | undefined
  /** Since when there is none, on the monotonic clock; undefined while there is one. */
  readonly leaderlessSinceMs: () => number | undefined
  /** Why this node tries nothing any more: it is about to stop, or was removed. */
  readonly refused: () => NotDone | undefined
}

const noLeader = new NotDone({ reason: "no-quorum", message: "No leader is reachable: this node may be in a minority" })

/** The leader was lost, is about to leave or has no room: another one may do it. */
const mayPass = ({ reason }: NotDone): boolean => reason !== "overloaded" && reason !== "upgrade-required"

/**
 * Attempts at the leader until one is answered. What is certainly not done for want of a leader is tried again; so is
 * what may be done, where `isRepeatable` says that twice is once. An answer for which `holdsForCopies` is false speaks
 * of its own attempt alone: after an attempt of unknown outcome it makes nothing certain. A node that has long been
 * without a leader says so at once.
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
      // One that came late, after a leader that hung, is asked as well; what has no time to be answered is not begun.
      const endMs =
        successor !== undefined && successor !== target
          ? beganMs + answerTimeoutMs - attemptMinMs
          : Math.min(beganMs, leaderlessSinceMs() ?? beganMs) + leaderWaitMs
      if (nowMs >= endMs) return yield* Effect.fail(unknown ?? refusal)
      yield* Effect.sleep(leaderPollMs)
    }
  })

/**
 * Tries requests at one leader after another, each within one deadline: an election meanwhile costs time, and causes no
 * error. Once the outcome of one attempt is unknown, the request stays unknown, unless a later answer covers all copies
 * of the request (C18). No fiber waits: a refused attempt waits for its next turn in the list of timeouts, or for the
 * signal that another node leads.
 */
import { Cause, Exit, Result } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { Forget, Settle } from "../Raft/node/Settle.ts"
import type { Timeouts } from "./Timeouts.ts"

/** Every request is answered within this time, reads included. */
export const answerTimeoutMs = 2_500
/** How long a request waits for a leader. It is longer than an election takes. */
const leaderWaitMs = 1_500
/** The time that an attempt normally needs. */
const attemptMinMs = 500
/** How long a request waits before it asks the same leader again. */
const sameLeaderMs = 10

/** This node's knowledge of its leader. */
export interface Leadership {
  readonly leader: () => NodeId | undefined
  /** Since when there is no leader, on the monotonic clock; undefined while there is one. */
  readonly leaderlessSinceMs: () => number | undefined
  /** Why this node makes no more attempts: it is about to stop, or it was removed. */
  readonly refused: () => NotDone | undefined
}

type Failure = NotDone | UnknownOutcome

/** A request, and how it is sent to a leader. */
export interface Request<A, E extends Failure> {
  /** Whether an attempt may follow one of unknown outcome: the request is idempotent. */
  readonly isRepeatable: boolean
  /** Whether an answer also says what happened to earlier attempts of unknown outcome. Every answer does by default. */
  readonly holdsForCopies?: (answer: A) => boolean
  readonly attempt: (leader: NodeId, timeoutMs: number, settle: Settle<A, E>) => Forget
}

/** The requests of one node. */
export interface Attempts {
  /**
   * Sends attempts to the leader until one is answered. It repeats an attempt that was certainly not done for want of a
   * leader. It retries unknown outcomes only if the request is idempotent. After an unknown outcome it takes no answer
   * for which `holdsForCopies` is false, since that answer covers its own attempt only. A node that has long had no
   * leader fails at once.
   */
  readonly untilAnswered: <A, E extends Failure>(request: Request<A, E>, settle: Settle<A, E | NotDone>) => Forget
  /** Another node may lead now, or this node makes no more attempts: the requests that wait look again. */
  readonly leadershipChanged: () => void
}

const noLeader = new NotDone({ reason: "no-quorum", message: "No leader is reachable: this node may be in a minority" })

/** Whether another leader may do it: the leader was lost, is about to leave or has no room. */
const mayPass = ({ reason }: NotDone): boolean => reason !== "overloaded" && reason !== "upgrade-required"

export const make = (options: { readonly leadership: Leadership; readonly timeouts: Timeouts }): Attempts => {
  const { timeouts } = options
  const { leader, leaderlessSinceMs, refused } = options.leadership
  /** The requests between two attempts. */
  const waiting = new Set<() => void>()

  const untilAnswered = <A, E extends Failure>(request: Request<A, E>, settle: Settle<A, E | NotDone>): Forget => {
    const beganMs = timeouts.nowMs()
    let unknown: E | undefined
    let refusal: E | NotDone = noLeader
    /** The leader that was asked last; undefined if there has been none since. */
    let target: NodeId | undefined
    let forgetAttempt: Forget | undefined
    /** The time at which it looks again, while it waits. */
    let timeout: number | undefined
    let isOver = false

    const end = (exit: Exit.Exit<A, E | NotDone>): void => {
      isOver = true
      settle(exit)
    }
    /** After an unknown outcome nothing makes the request certainly not done. */
    const fail = (error: E | NotDone): void => end(Exit.fail(unknown ?? error))

    const answered = (exit: Exit.Exit<A, E>): void => {
      forgetAttempt = undefined
      if (isOver) return
      const failed = Exit.isFailure(exit) ? Cause.findError(exit.cause) : undefined
      if (failed === undefined || Result.isFailure(failed)) {
        const covers = Exit.isFailure(exit) || request.holdsForCopies?.(exit.value) !== false
        end(unknown === undefined || covers ? exit : Exit.fail(unknown))
        return
      }
      refusal = failed.success
      if (refusal instanceof UnknownOutcome) unknown = refusal
      const again = refusal instanceof UnknownOutcome ? request.isRepeatable : mayPass(refusal)
      if (again) wait()
      else fail(refusal)
    }

    const attempt = (): void => {
      const refusedHere = refused()
      target = leader()
      if (refusedHere !== undefined) fail(refusedHere)
      else if (target === undefined) wait()
      else {
        let isUnderWay = true
        const forget = request.attempt(target, beganMs + answerTimeoutMs - timeouts.nowMs(), (exit) => {
          isUnderWay = false
          answered(exit)
        })
        if (isUnderWay) forgetAttempt = forget
      }
    }

    /** Waits for another leader, or for the time to ask this one again. */
    const wait = (): void => {
      const nowMs = timeouts.nowMs()
      const successor = leader()
      // A new leader that came late is still tried, unless too little time is left for its answer.
      const endMs =
        successor !== undefined && successor !== target
          ? beganMs + answerTimeoutMs - attemptMinMs
          : Math.min(beganMs, leaderlessSinceMs() ?? beganMs) + leaderWaitMs
      if (nowMs >= endMs) {
        fail(refusal)
        return
      }
      if (successor === undefined) target = undefined
      timeout = timeouts.add(successor === undefined ? endMs : nowMs + sameLeaderMs, look)
      waiting.add(lookAgain)
    }

    const stopWaiting = (): void => {
      waiting.delete(lookAgain)
      if (timeout !== undefined) timeouts.remove(timeout)
      timeout = undefined
    }

    const look = (): void => {
      stopWaiting()
      attempt()
    }

    const lookAgain = (): void => {
      const successor = leader()
      if (refused() !== undefined || (successor !== undefined && successor !== target)) look()
    }

    attempt()
    return () => {
      if (isOver) return
      isOver = true
      stopWaiting()
      forgetAttempt?.()
    }
  }

  return {
    untilAnswered,
    leadershipChanged: () => {
      for (const lookAgain of [...waiting]) lookAgain()
    }
  }
}

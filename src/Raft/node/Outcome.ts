/**
 * The outcomes of a write that the cluster did not confirm. "Not done" is claimed only when it is certain. Otherwise
 * the outcome is unknown, and a client may retry safely with its idempotency key.
 */
import * as Schema from "effect/Schema"
import { answerBy, type Problem, problem, responds } from "../../Problem.ts"

/** Why an attempt is certainly not done. */
export const NotDoneReason = Schema.Literals([
  "no-quorum",
  "overloaded",
  "draining",
  "storage-full",
  "upgrade-required",
  "starting",
  "removed"
])

/** This attempt was certainly not done: nothing was proposed, or another entry was committed in its place. */
export class NotDone extends Schema.TaggedError<NotDone>()("NotDone", {
  reason: NotDoneReason,
  message: Schema.String
}) {
  toProblem(): Problem {
    return problem(this.reason, this.message, { definite: true })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The write was proposed, and its entry may or may not be committed: its loss on one node proves nothing (Fig. 8). */
export class UnknownOutcome extends Schema.TaggedError<UnknownOutcome>()("UnknownOutcome", {
  /** The key under which a client can ask for the outcome: the client's own, or the one that the node assigned. */
  key: Schema.optionalKey(Schema.String),
  message: Schema.String
}) {
  toProblem(): Problem {
    return problem("unknown-outcome", this.message, {
      definite: false,
      ...(this.key === undefined ? {} : { key: this.key })
    })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** This node is about to stop, and has not begun the request. */
export const draining = new NotDone({ reason: "draining", message: "This node is about to stop" })

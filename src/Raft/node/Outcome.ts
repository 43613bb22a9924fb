/**
 * What became of a write that the cluster did not confirm. "Not done" is claimed only when it is certain; everything
 * else is unknown, and a client may retry it safely with its idempotency key.
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

/** The write was proposed, and its entry may or may not be committed: losing it on one node proves nothing (Fig. 8). */
export class UnknownOutcome extends Schema.TaggedError<UnknownOutcome>()("UnknownOutcome", {
  /** By which its outcome can be asked for: the client's own, or the one that the node assigned. */
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

/** A node that is about to stop has not begun this. */
export const draining = new NotDone({ reason: "draining", message: "This node is about to stop" })

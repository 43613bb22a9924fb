/**
 * The outcomes of a write that the node's own log did not confirm. "Not done" is certain, as for the replicated log. No
 * message names a file, since clients read it.
 */
import { Schema } from "effect"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"

/**
 * `overloaded`: too many writes wait. `storage-full`: the disk has no room for the log. `stopped`: the log has failed
 * or is closing, and takes no more writes.
 */
export const LocalNotDoneReason = Schema.Literals(["overloaded", "storage-full", "stopped"])

/** This write was certainly not done: no part of it reached the disk. */
export class LocalNotDone extends Schema.TaggedError<LocalNotDone>()("LocalNotDone", {
  reason: LocalNotDoneReason,
  message: Schema.String
}) {
  toProblem(): Problem {
    return problem(this.reason === "stopped" ? "draining" : this.reason, this.message, { definite: true })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The disk failed during the write. The next start finds the write or does not. */
export class LocalUnknownOutcome extends Schema.TaggedError<LocalUnknownOutcome>()("LocalUnknownOutcome", {
  /**
   * The key under which a client can ask this node for the outcome: the client's own, or the one that the node
   * assigned.
   */
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

/**
 * What became of a write that the node's own log did not confirm. "Not done" is claimed only when it is certain, as for
 * the replicated log. No message names a file: a client may read it.
 */
import { Schema } from "effect"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"

/**
 * `overloaded`: too many wait already. `storage-full`: the disk has no room for the log to go on. `stopped`: the log
 * failed or is closing, and takes nothing more.
 */
export const LocalNotDoneReason = Schema.Literals(["overloaded", "storage-full", "stopped"])

/** This write was certainly not done: nothing of it was handed to the disk. */
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

/** The disk failed while it wrote: the next start finds the write, or does not. */
export class LocalUnknownOutcome extends Schema.TaggedError<LocalUnknownOutcome>()("LocalUnknownOutcome", {
  /** By which its outcome can be asked for on this node: the client's own, or the one that the node assigned. */
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

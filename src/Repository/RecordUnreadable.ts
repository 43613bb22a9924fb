/** The failure of a read that meets a record which this release cannot read. docs/evolution.md. */
import { Data } from "effect"
import type { FieldError } from "../Model/FieldError.ts"
import { answerBy, type Problem, responds } from "../Problem.ts"
import { recordUnreadable } from "./RejectionProblem.ts"

/** The stored form of a record does not fit the model of this release: it lacks a step, or is too old. Answers with 503. */
export class RecordUnreadable extends Data.TaggedError("RecordUnreadable")<{
  readonly model: string
  readonly id: string
  readonly errors: ReadonlyArray<FieldError>
}> {
  override get message(): string {
    return this.toProblem().detail
  }
  toProblem(): Problem {
    return recordUnreadable(this)
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

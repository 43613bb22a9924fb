/** Why a live query is refused, or ends. Each one is a problem for clients. */
import { Data } from "effect"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import type { ReadFailure } from "../Repository/Records.ts"
import { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { pageMaxBytes } from "./Bounds.ts"
import type { LiveEnd } from "./LiveEnd.ts"

/** The records of the page are too large together. Answers with 413. */
export class LivePageTooLarge extends Data.TaggedError("LivePageTooLarge")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("too-large", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The evaluation of live queries failed with a defect, which the node has logged. Answers with 500. */
export class LiveBroken extends Data.TaggedError("LiveBroken")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("internal", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** Why a live query is refused, or ends. The node refuses it beyond a bound as `overloaded`. */
export type LiveFailure = ReadFailure | RecordUnreadable | LivePageTooLarge | LiveBroken

/** Refuses a live query, or ends one, because of a bound of the node. */
export const overloaded = (message: string): NotDone => new NotDone({ reason: "overloaded", message })

/** The failure of a query that the engine has ended. */
export const failureOf = (end: LiveEnd): LiveFailure => {
  switch (end._tag) {
    case "Unreadable":
      return new RecordUnreadable({ model: end.model, ...end.row })
    case "PageTooLarge":
      return new LivePageTooLarge({
        message: `This page has more than ${pageMaxBytes / 2 ** 20} MiB: lower its limit, or select fewer fields`
      })
    case "Overloaded":
      return overloaded(end.message)
  }
}

/** Why a projection gives no answer. The node that meets it goes on, and so do its other projections. */
import * as Data from "effect/Data"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import type { SqliteReason } from "./SqliteProtocol.ts"

/** The entry `index` cannot be decoded, its own code threw at it, or SQLite refused it: it stays before it until it is mended. */
export class ProjectionFailed extends Data.TaggedError("ProjectionFailed")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {
  /** Only the node's log tells what the projection's code threw. */
  toProblem(): Problem {
    const { index, projection } = this
    return problem("projection-failed", `${projection} met an error of its own at entry ${index}`, { projection })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The history that it needs from `index` on is not on this node: a snapshot stands for it. */
export class ProjectionUnavailable extends Data.TaggedError("ProjectionUnavailable")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {
  toProblem(): Problem {
    const { index, projection } = this
    const detail = `${projection} needs the history from entry ${index} on, which this node does not hold`
    return problem("projection-unavailable", detail, { projection })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** Either. */
export type ProjectionFailure = ProjectionFailed | ProjectionUnavailable

/** SQLite did not do what was asked of it; `ended` is the thread that was to, or the file that it had. */
export class SqliteFailed extends Data.TaggedError("SqliteFailed")<{
  readonly reason: SqliteReason | "ended"
  readonly message: string
}> {}

/** SQLite cannot run on this runtime, or not on a thread. Nothing but another runtime, or other permissions, mends it. */
export class SqliteUnavailable extends Data.TaggedError("SqliteUnavailable")<{ readonly message: string }> {}

/** What the projection's own code says of what is wrong: for the log of the node, and for whoever wrote the code. */
export const thrown = (error: unknown): string =>
  `its code threw: ${error instanceof Error ? error.message : String(error)}`

/** The failures of a projection. The node and its other projections go on. */
import * as Data from "effect/Data"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import type { SqliteReason } from "./SqliteProtocol.ts"

/** The projection stopped before the entry `index`: it does not decode, the projection's code threw, or SQLite refused it. It stays there until that is mended. Answers with 503. */
export class ProjectionFailed extends Data.TaggedError("ProjectionFailed")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {
  /** Only the node's log says what the projection's code threw. */
  toProblem(): Problem {
    const { index, projection } = this
    return problem("projection-failed", `${projection} failed at entry ${index}: see the node's log`, { projection })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/**
 * The projection needs the history from `index` on, but this node has only a snapshot of it. It goes on once the node has
 * fetched that history from its peers. Answers with 503.
 */
export class ProjectionUnavailable extends Data.TaggedError("ProjectionUnavailable")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {
  toProblem(): Problem {
    const { index, projection } = this
    const detail = `${projection} needs the history from entry ${index} on, which this node does not have: ask another node`
    return problem("projection-unavailable", detail, { projection })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** Why a projection stopped on this node. */
export type ProjectionFailure = ProjectionFailed | ProjectionUnavailable

/** SQLite failed. `reason` says whether it refused the request, may succeed later, cannot use its file, or its thread has `ended`. */
export class SqliteFailed extends Data.TaggedError("SqliteFailed")<{
  readonly reason: SqliteReason | "ended"
  readonly message: string
}> {}

/** SQLite cannot run on this runtime, or not on a thread. Use another runtime, or give it more permissions. */
export class SqliteUnavailable extends Data.TaggedError("SqliteUnavailable")<{ readonly message: string }> {}

/** Describes what the projection's code threw, for the node's log. */
export const thrown = (error: unknown): string =>
  `its code threw: ${error instanceof Error ? error.message : String(error)}`

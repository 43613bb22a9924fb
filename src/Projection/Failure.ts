/** Why a projection gives no answer. The node that meets it goes on, and so do its other projections. */
import { Data } from "effect"

/** The entry `index` cannot be decoded, its own code threw at it, or SQLite refused it: it stays before it until it is mended. */
export class ProjectionFailed extends Data.TaggedError("ProjectionFailed")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {}

/** The history that it needs from `index` on is not on this node: a snapshot stands for it. */
export class ProjectionUnavailable extends Data.TaggedError("ProjectionUnavailable")<{
  readonly projection: string
  readonly index: number
  readonly message: string
}> {}

/** Either. */
export type ProjectionFailure = ProjectionFailed | ProjectionUnavailable

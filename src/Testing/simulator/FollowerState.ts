/** The projections of a simulated node. Pure data; Followers.ts changes it. */
import type * as Folding from "../../Projection/Folding.ts"
import type { encode } from "../../Projection/Saved.ts"
import type { ProjectionName, Viewed } from "./Projections.ts"

/** The followers of a node, by the names of their projections. */
export type Followers = ReadonlyMap<ProjectionName, Follower>

/** A projection of a node, and how far it is. */
export interface Follower {
  readonly viewed: Viewed
  readonly folding: Folding.Folding<unknown>
  /** A save under way: it makes its bytes while it writes them, and folds go on meanwhile. */
  saving: ReturnType<typeof encode> | undefined
}

/** How new a node's own reads must be. A session is at least as new as all that its repository has shown. */
import { Effect } from "effect"
import type { Problem } from "../../Problem.ts"
import type { Consistency } from "../../Repository/Freshness.ts"
import { misread } from "../Failure.ts"
import { checkRead, type ReadOptions } from "../ReadOptions.ts"

/** Remembers the highest index that answers of one repository have reflected. */
export interface Session {
  /** Turns the options of a read into its consistency. */
  readonly consistencyOf: (options: ReadOptions) => Effect.Effect<Consistency, Problem>
  readonly saw: (answer: { readonly logIndex?: number | undefined }) => Effect.Effect<void>
}

/** Begins a session. */
export const makeSession = (): Session => {
  let seenIndex = 0
  return {
    consistencyOf: (options) => Effect.map(misread(checkRead(options)), () => consistencyOf(options, seenIndex)),
    saw: ({ logIndex = 0 }) =>
      Effect.sync(() => {
        seenIndex = Math.max(seenIndex, logIndex)
      })
  }
}

const consistencyOf = ({ consistency, staleMaxMs }: ReadOptions, minIndex: number): Consistency => {
  switch (consistency) {
    case "session":
      return { _tag: "Session", minIndex }
    case "local":
      return { _tag: "Local", ...(staleMaxMs === undefined ? {} : { staleMaxMs }) }
    default:
      return { _tag: "Linearizable" }
  }
}

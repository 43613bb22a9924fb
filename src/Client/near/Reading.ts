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
  /** Remembers the index that an answer reflects, also a refusal. */
  readonly watch: <A extends Indexed, E extends object, R>(answer: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** An answer, and the index of the replicated log that it reflects. */
interface Indexed {
  readonly logIndex?: number | undefined
}

/** Begins a session. */
export const makeSession = (): Session => {
  let seenIndex = 0
  const saw = ({ logIndex = 0 }: Indexed) =>
    Effect.sync(() => {
      seenIndex = Math.max(seenIndex, logIndex)
    })
  return {
    consistencyOf: (options) => Effect.map(misread(checkRead(options)), () => consistencyOf(options, seenIndex)),
    watch: (answer) => Effect.tapError(Effect.tap(answer, saw), saw)
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

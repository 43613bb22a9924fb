/** Work that a node waits for outside its own fibers, such as the check of a signature on another thread. */
import * as Context from "effect/Context"

/** Says how long such work takes, to whoever keeps the time of the node. */
export interface OutsideWork {
  /** The virtual time of a test stands still until this promise settles. Real time goes on. */
  readonly during: <A>(work: Promise<A>) => Promise<A>
}

/** What follows from such work: nothing, but in a test with virtual time. */
export const OutsideWork = Context.Reference<OutsideWork>("lithair/Http/OutsideWork", {
  defaultValue: () => ({ during: (work) => work })
})

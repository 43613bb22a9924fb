/**
 * Hands leadership over while the stored records are not checked yet (ModelsChecked.ts): until then this node refuses
 * every order, and so a leader would hold up the cluster. Once only: another node may be in the same state.
 */
import { Effect } from "effect"

/** How often it looks whether this node leads. Most checks are over within milliseconds of an election. */
const lookEveryMs = 500

/**
 * Waits until this node has led from one look to the next, and hands leadership over. A node that has just been elected
 * checks first. It never ends: end it when the check is over.
 */
export const handOverOnce = (node: {
  readonly leads: () => boolean
  /** Begins a hand-over to another voter. Fails, or is refused, if none can take it. */
  readonly handOver: Effect.Effect<{ readonly _tag: string }, unknown>
}): Effect.Effect<never> =>
  Effect.gen(function* () {
    let isBegun = false
    let hasLed = false
    while (!isBegun) {
      yield* Effect.sleep(lookEveryMs)
      const leads = node.leads()
      const isJustElected = leads && !hasLed
      hasLed = leads
      if (!leads || isJustElected) continue
      const begun = yield* Effect.orElseSucceed(node.handOver, () => ({ _tag: "Refused" }))
      isBegun = begun._tag !== "Refused"
      if (isBegun) yield* Effect.logInfo("This node hands leadership over: it has not checked its records yet")
    }
    return yield* Effect.never
  })

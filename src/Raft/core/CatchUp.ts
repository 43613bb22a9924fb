/**
 * Whether a learner keeps up with its leader's log, so that its vote would not hold up the cluster. Rounds of
 * replication, each to where the log ended when the round began: one shorter than an election timeout will do.
 * Pure, owned, mutable. Diss. 4.2.1.
 */

export interface CatchUp {
  endIndex: number
  beganMs: number
  /** Whether the latest finished round was short enough. */
  wasShort: boolean
}

export const begin = (at: { readonly lastIndex: number; readonly nowMs: number }): CatchUp => ({
  endIndex: at.lastIndex,
  beganMs: at.nowMs,
  wasShort: false
})

/** The learner holds everything through `matchIndex`: a round may be over, and the next one begins. */
export const matched = (
  catchUp: CatchUp,
  at: { readonly matchIndex: number; readonly lastIndex: number; readonly nowMs: number; readonly roundMaxMs: number }
): void => {
  if (at.matchIndex < catchUp.endIndex) return
  // Whoever holds all there is needs no round: in an idle cluster none would end.
  catchUp.wasShort = at.matchIndex >= at.lastIndex || at.nowMs - catchUp.beganMs < at.roundMaxMs
  catchUp.endIndex = at.lastIndex
  catchUp.beganMs = at.nowMs
}

/** Whether it kept up in the latest round, and has not fallen behind in the one under way. */
export const isCaughtUp = (
  catchUp: CatchUp,
  at: { readonly matchIndex: number; readonly nowMs: number; readonly roundMaxMs: number }
): boolean => catchUp.wasShort && (at.matchIndex >= catchUp.endIndex || at.nowMs - catchUp.beganMs < at.roundMaxMs)

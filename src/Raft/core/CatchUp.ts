/**
 * Decides whether a learner keeps up with its leader's log, so that as a voter it would not hold up the cluster. The
 * leader replicates in rounds: each ends where the log ended when the round began. A learner has caught up once a round
 * takes less than an election timeout. Pure, owned, mutable. Diss. 4.2.1.
 */

/** One learner's rounds of replication, on its leader. Times are those of `nowMs`. */
export interface CatchUp {
  endIndex: number
  beganMs: number
  /** Whether the last finished round was short enough. */
  wasShort: boolean
}

/** Begins the first round. */
export const begin = (at: { readonly lastIndex: number; readonly nowMs: number }): CatchUp => ({
  endIndex: at.lastIndex,
  beganMs: at.nowMs,
  wasShort: false
})

/** The learner holds every entry through `matchIndex`. This may end the round, and then the next one begins. */
export const matched = (
  catchUp: CatchUp,
  at: { readonly matchIndex: number; readonly lastIndex: number; readonly nowMs: number; readonly roundMaxMs: number }
): void => {
  if (at.matchIndex < catchUp.endIndex) return
  // A learner that holds the whole log needs no round: in an idle cluster no round would ever end.
  catchUp.wasShort = at.matchIndex >= at.lastIndex || at.nowMs - catchUp.beganMs < at.roundMaxMs
  catchUp.endIndex = at.lastIndex
  catchUp.beganMs = at.nowMs
}

/** Whether the learner kept up in the last finished round, and has not fallen behind in the current one. */
export const isCaughtUp = (
  catchUp: CatchUp,
  at: { readonly matchIndex: number; readonly nowMs: number; readonly roundMaxMs: number }
): boolean => catchUp.wasShort && (at.matchIndex >= catchUp.endIndex || at.nowMs - catchUp.beganMs < at.roundMaxMs)

/** When a log last moved, and when a node last handed over because it stood still. Pure data; Standstill.ts changes it. */

/** The index that was reached when a log last moved, and when that was. */
export interface LastMove {
  readonly index: number
  readonly sinceMs: number
}

/**
 * The same for a leader's commit index; it also moves while no entry waits. `isTold` says that the leader has reported
 * the standstill.
 */
export interface LeaderLastMove extends LastMove {
  isTold: boolean
}

/** When this node last handed over for lastMove still, and how long it must wait before it does so again. */
export interface HandOvers {
  readonly lastMs: number
  readonly pauseMs: number
}

/** The value at the start of a node. */
export const neverHandedOver: HandOvers = { lastMs: Number.NEGATIVE_INFINITY, pauseMs: 0 }

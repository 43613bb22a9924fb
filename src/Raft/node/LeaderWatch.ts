/**
 * Watches who leads: it notes since when no node does, and writes a line to the node's log when that changes, and when
 * this node leads and commits nothing.
 */
import { Effect } from "effect"
import type { NodeId } from "../core/Message.ts"
import type { Output, RoleChanged } from "../core/Output.ts"

export interface LeaderWatch {
  readonly changed: (to: RoleChanged, nowMs: number) => void
  readonly stoodStill: (standstill: NonNullable<Output["standstill"]>) => void
  /** Since when no leader is known, on the monotonic clock; undefined while one is. */
  readonly leaderlessSinceMs: () => number | undefined
}

export const make = (options: {
  readonly nodeId: NodeId
  /** Another node, or another term, leads. */
  readonly onLeader: () => void
  readonly fork: (effect: Effect.Effect<void>) => void
}): LeaderWatch => {
  let known: { readonly leader: NodeId | undefined; readonly term: number } | undefined
  let leaderlessSinceMs: number | undefined
  return {
    changed: ({ leader, term }, nowMs) => {
      leaderlessSinceMs = leader === undefined ? (leaderlessSinceMs ?? nowMs) : undefined
      const isLost = leader === undefined && known?.leader !== undefined
      if (isLost) options.fork(Effect.logWarning(`${known?.leader} led term ${known?.term}: no leader is known now`))
      if (leader !== undefined && (known?.leader !== leader || known.term !== term)) {
        options.onLeader()
        options.fork(Effect.logInfo(`${leader === options.nodeId ? "This node" : leader} leads term ${term}`))
      }
      known = { leader, term }
    },
    stoodStill: ({ commitIndex, forMs, lastIndex, to }) => {
      const what = `Nothing is committed past ${commitIndex} of ${lastIndex} entries for ${forMs} ms, though a quorum answers`
      const then = to === undefined ? "no voter is better placed to lead now" : `${to} is to lead`
      options.fork(Effect.logWarning(`${what}: ${then}`))
    },
    leaderlessSinceMs: () => leaderlessSinceMs
  }
}

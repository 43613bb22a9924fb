/**
 * What a node that repairs its log knows of its repair, and what its leader knows of it. Pure data; Repair.ts changes it,
 * and says why it is safe. C26.
 */
import type { NodeId } from "./Message.ts"

/** On the node that repairs. */
export interface Repairing {
  /** The life of the node that began the repair. No other repair of this node has it, in this life or another. */
  readonly nonce: number
  /** The last index of the leader of the current term, as it named it for this repair; undefined until then. */
  throughIndex: number | undefined
  /** Entries through this index equal those of the leader of the current term: it has compared them. */
  matchedIndex: number
}

/** On a leader, of one peer that repairs. */
export interface PeerRepair {
  readonly nonce: number
  /** Beats with this number, or a later one, left after the peer had asked. */
  readonly readNumber: number
  /** This leader, and the other nodes that echoed such a beat. */
  readonly acks: Set<NodeId>
  /** The last index of this leader when a quorum without the peer had confirmed it; undefined until then. */
  throughIndex: number | undefined
  /** When the peer last said something. */
  heardMs: number
}

/** The repair of life `nonce`, at its beginning. */
export const begin = (nonce: number): Repairing => ({ nonce, throughIndex: undefined, matchedIndex: 0 })

/** Another term has begun: its leader must compare the log, and name its own last index. */
export const forgetLeader = (repairing: Repairing): void => {
  repairing.throughIndex = undefined
  repairing.matchedIndex = 0
}

/** Reads that wait for a round of beats, on the leader and on a follower. Pure data; Reads.ts changes it. Diss. 6.4. */
import type { NodeId } from "./Message.ts"

/** Reads that share one read index: reads of this node, or reads of a follower behind one request. */
export type ReadRequest =
  | { readonly _tag: "Local"; readonly readIds: ReadonlyArray<number>; readIndex: number }
  | {
      readonly _tag: "Remote"
      readonly peer: NodeId
      readonly life: number
      readonly requestId: number
      readIndex: number
    }

/** A round, confirmed by echoes of `readNumber` or of a later number: those beats left after the round began. */
export interface ReadRound {
  readonly readNumber: number
  readonly requests: ReadonlyArray<ReadRequest>
  readonly acks: Set<NodeId>
}

/** At most one round is under way. Reads that arrive meanwhile share the next one (C6). */
export interface LeaderReads {
  round: ReadRound | undefined
  waiting: Array<ReadRequest>
}

/** Reads of this node, which wait to be sent to the leader. */
export interface LocalReads {
  readonly readIds: ReadonlyArray<number>
  readonly atLeastIndex: number
}

/** A follower asks its leader once for all the reads that wait, and has one request under way at a time. */
export interface FollowerReads {
  /** The number of this node's life. A late answer to a request of a former life must not answer one of this life. */
  readonly life: number
  nextRequestId: number
  outstanding:
    | { readonly requestId: number; readonly reads: ReadonlyArray<LocalReads>; sentMs: number; readonly leader: NodeId }
    | undefined
  waiting: Array<LocalReads>
}

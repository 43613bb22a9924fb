/** The bounds of consensus on one node: timeouts and limits, units in the names. Pure data. Raft §9.3 for the timeouts. */

export interface RaftConfig {
  /** A leader beats this often; a tick credits at most this much time, however long the process was paused. */
  readonly heartbeatIntervalMs: number
  /** Within this time a leader hears from a quorum or steps down, and a follower that heard one grants no vote. */
  readonly electionTimeoutMinMs: number
  readonly electionTimeoutMaxMs: number
  /**
   * Lets a leader answer reads of its own without a round, while a quorum's promise lasts: it trusts that no two clocks
   * drift apart by more than this within an election timeout. To be set alike on all members (diss. 6.4.1, C7).
   */
  readonly readLease?: { readonly driftBoundMs?: number }
  /** A write that takes longer is a stall: a leader steps down, and this node does not campaign until it is over (C20). */
  readonly diskStallTimeoutMs: number
  /** Payload bytes of one AppendEntries; a single larger entry still travels, alone. */
  readonly appendBatchBytes: number
  readonly inflightMessagesCount: number
  readonly inflightBytes: number
  /** At this much uncommitted payload a leader refuses proposals as overloaded. */
  readonly uncommittedBytes: number
  /** Payload of recent entries kept in memory, and up to an eighth more; entries not yet applied or durable stay beyond it. */
  readonly cacheBytes: number
  /** Payload applied since the last snapshot after which another is taken, if it is also more than that one's size. */
  readonly snapshotAfterBytes: number
  /** Entries at the end of the log that stay below a snapshot; by default all of history does (docs/raft.md, Snapshots). */
  readonly logRetainedCount: number
  /** Reads that wait on this node, over all rounds; later ones are refused. */
  readonly readsWaitingCount: number
}

export const defaults: RaftConfig = {
  heartbeatIntervalMs: 50,
  electionTimeoutMinMs: 300,
  electionTimeoutMaxMs: 600,
  diskStallTimeoutMs: 1_000,
  appendBatchBytes: 1024 * 1024,
  inflightMessagesCount: 64,
  inflightBytes: 4 * 1024 * 1024,
  uncommittedBytes: 64 * 1024 * 1024,
  cacheBytes: 64 * 1024 * 1024,
  snapshotAfterBytes: 8 * 1024 * 1024,
  logRetainedCount: Number.POSITIVE_INFINITY,
  readsWaitingCount: 65_536
}

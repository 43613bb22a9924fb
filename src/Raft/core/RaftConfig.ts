/** The timeouts and limits of consensus on one node, with units in the names. Pure data. Raft §9.3 for the timeouts. */

/**
 * The timeouts and limits of consensus. All members of a cluster need the same timeouts and the same `readLease`; the
 * limits on memory and disk may differ. Every number is above 0 unless its field says otherwise.
 */
export interface RaftConfig {
  /**
   * How often a leader sends a beat. One tick credits at most this much time, however long the process was paused.
   * Default 50; keep it at most a third of `electionTimeoutMinMs`, so that a lost beat causes no election.
   */
  readonly heartbeatIntervalMs: number
  /**
   * A leader that hears no quorum within this time steps down, and a follower that heard its leader within it grants no
   * vote. Default 300; at least three beats, and well above a round trip between members and a sync of their disks.
   */
  readonly electionTimeoutMinMs: number
  /**
   * A follower campaigns after a random time between `electionTimeoutMinMs` and this. Default 600, twice the minimum;
   * it must be above the minimum, or candidates keep splitting the vote.
   */
  readonly electionTimeoutMaxMs: number
  /**
   * Lets a leader answer its own reads without a round while a quorum's promise lasts. Absent by default: then every
   * linearizable read is confirmed by a round. It trusts that no two clocks drift apart by more than `driftBoundMs` within
   * an election timeout; that is 50 by default, and 0 or more. A lease lasts `electionTimeoutMinMs` less one beat less
   * `driftBoundMs`: with a greater bound there are no leases (diss. 6.4.1, C7).
   */
  readonly readLease?: { readonly driftBoundMs?: number }
  /**
   * A write to the log that takes longer is a stall: a leader steps down, and this node does not campaign until a write
   * completes (C20). Default 1,000; keep it above `electionTimeoutMaxMs` and above the slowest sync of a healthy disk.
   */
  readonly diskStallTimeoutMs: number
  /**
   * The payload bytes of one AppendEntries. A single larger entry still travels, alone. Default 1 MiB; at most 8 MiB, so
   * that a message fits its frame of 16 MiB. Keep it at most `inflightBytes`.
   */
  readonly appendBatchBytes: number
  /** The unacknowledged AppendEntries that a leader has on their way to one peer. Default 64; at least 1. */
  readonly inflightMessagesCount: number
  /**
   * The unacknowledged payload bytes on their way to one peer; the message that reaches the limit may pass it. Default
   * 4 MiB; at least `appendBatchBytes`, or messages wait for each other.
   */
  readonly inflightBytes: number
  /**
   * A leader refuses proposals as overloaded once this many payload bytes are uncommitted; the batch that reaches the
   * limit may pass it. Default 64 MiB; at least `inflightBytes`. It bounds memory, since uncommitted entries stay there.
   */
  readonly uncommittedBytes: number
  /**
   * The payload bytes of recent entries in memory, and up to an eighth more. Entries that are not applied and durable
   * stay beyond it. Default 16 MiB; 0 or more. A peer that lags further is sent entries from disk.
   */
  readonly cacheBytes: number
  /**
   * A node takes a snapshot once it has applied this many payload bytes since the last one. While many come, it waits
   * until they are more than that snapshot, or the snapshot has been for a while (SnapshotTaking.ts). Once nothing was
   * applied for two seconds, a quarter of it is enough. Default 16 MiB, which a restart applies again. A smaller value
   * shortens that and costs more writes.
   */
  readonly snapshotAfterBytes: number
  /**
   * How many of the newest entries stay in the log below a snapshot; older ones move into the history. Default 10,000;
   * 0 or more. Peers that lag by more than this need a snapshot (docs/raft.md, "Snapshots").
   */
  readonly logRetainedCount: number
  /**
   * How many payload bytes of these entries stay at most. Default 4 MiB; 0 or more. An entry that is not in memory counts
   * as 1 KiB.
   */
  readonly logRetainedBytes: number
  /** The reads that may wait on this node, over all rounds; it refuses later ones. Default 65,536; at least 1. */
  readonly readsWaitingCount: number
}

/** The default of every field, for members on one local network. */
export const defaults: RaftConfig = {
  heartbeatIntervalMs: 50,
  electionTimeoutMinMs: 300,
  electionTimeoutMaxMs: 600,
  diskStallTimeoutMs: 1_000,
  appendBatchBytes: 1024 * 1024,
  inflightMessagesCount: 64,
  inflightBytes: 4 * 1024 * 1024,
  uncommittedBytes: 64 * 1024 * 1024,
  cacheBytes: 16 * 1024 * 1024,
  snapshotAfterBytes: 16 * 1024 * 1024,
  logRetainedCount: 10_000,
  logRetainedBytes: 4 * 1024 * 1024,
  readsWaitingCount: 65_536
}

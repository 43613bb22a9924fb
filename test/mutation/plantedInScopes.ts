/** Faults of one line, each of which the search of a small scope must find. Data only: smallScopes.test.ts plants them. */
import type { Mutation } from "../Mutation.ts"

export interface PlantedInScope extends Mutation {
  readonly name: string
  readonly scope: string
  /** What the search says of it. */
  readonly says: RegExp
}

export const plantedInScopes: ReadonlyArray<PlantedInScope> = [
  {
    name: "a voter keeps its promise only against a term that it does not know yet (C22)",
    scope: "leases and an election",
    says: /breaks its promise/,
    file: "src/Raft/core/Election.ts",
    find: "    upToDate && isFree && mayElect",
    replace: "    upToDate && isFree"
  },
  {
    name: "a voter that starts again has forgotten its promise (C22)",
    scope: "leases and a restart",
    says: /breaks its promise/,
    file: "src/Raft/core/State.ts",
    find: "options.config.readLease === undefined ? undefined : 0",
    replace: "undefined"
  },
  {
    name: "a lease begins when a beat is echoed, and not when it was sent (C7)",
    scope: "leases and an election",
    says: /reads by its lease, and misses entry 2/,
    file: "src/Raft/core/Reads.ts",
    find: "  Leases.echoed(leader, from, reply.readNumber)",
    replace: "  for (const [peer, each] of leader.progress) if (peer === from) each.promisedMs = state.lastTickMs ?? 0"
  },
  {
    name: "a lease outlives the hand-over of leadership (C7)",
    scope: "leases and a hand-over",
    says: /reads by its lease, and misses entry 2/,
    file: "src/Raft/core/Leases.ts",
    find: "readLease === undefined || leader.hasYielded ||",
    replace: "readLease === undefined ||"
  },
  {
    name: "a leader confirms its own read index without a quorum (C5)",
    scope: "reads of a leader and an election",
    says: /no stale read/,
    file: "src/Raft/core/Reads.ts",
    find: "  if (round === undefined || !Quorum.isQuorum(state.configuration, (voter) => round.acks.has(voter))) return",
    replace: "  if (round === undefined) return"
  },
  {
    name: "an answer to a former life of a follower confirms a read of this one (C23)",
    scope: "reads of a follower that restarts",
    says: /no stale read/,
    file: "src/Raft/core/Reads.ts",
    find: "message.life !== life || ",
    replace: ""
  },
  {
    name: "two votes in a term (§5.2)",
    scope: "votes, slow disks and a crash",
    says: /Election Safety/,
    file: "src/Raft/core/Election.ts",
    find: "state.votedFor === undefined || state.votedFor === from\n",
    replace: "state.votedFor !== state.nodeId\n"
  },
  {
    name: "a vote leaves before it is durable (C1)",
    scope: "votes, slow disks and a crash",
    says: /Election Safety/,
    file: "src/Raft/core/Election.ts",
    find: `  Draft.sendAfterHardState(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })`,
    replace: `  Draft.send(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })`
  },
  {
    name: "a vote for a log that is behind (§5.4.1)",
    scope: "entries and an election",
    says: /Leader Completeness/,
    file: "src/Raft/core/Election.ts",
    find: "const upToDate = RaftLog.isUpToDate(state.log, message)",
    replace: "const upToDate = true"
  },
  {
    name: "an acknowledgement leaves before its entries are durable (C2)",
    scope: "entries and slow disks",
    says: /not on the disks of a quorum/,
    file: "src/Raft/core/Draft.ts",
    find: "  else sendAfterWrites(state, draft, to, message)",
    replace: "  else send(state, draft, to, message)"
  },
  {
    name: "a follower truncates without a conflict (C8)",
    scope: "entries and slow disks",
    says: /conflicts with a committed one/,
    file: "src/Raft/core/Replication.ts",
    find: "      if (RaftLog.termAt(state.log, entry.index) === entry.term) continue\n",
    replace: ""
  }
]

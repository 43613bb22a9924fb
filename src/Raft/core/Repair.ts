/**
 * Repair of a damaged log from that of the leader. Pure. C26; after Alagappan et al. 2018, "Protocol-Aware Recovery for
 * Consensus-Based Storage": corrupt is not absent.
 *
 * The node has lost entries that it may have acknowledged, and keeps its term and its vote, which are stored apart. So it
 * neither votes nor campaigns, acknowledges nothing and reads nothing, and its leader counts it as unheard, until it
 * holds its leader's log through R. A leader names R, its own last index, once a quorum without this node has echoed a
 * beat that left after the node had asked.
 *
 * Why R is enough: the node acknowledged entries only in terms up to its own, and the leader's term t is not below that.
 * Entries that it acknowledged in t came from this very leader before the node asked, so they lie at or below R; their
 * acknowledgement may still be under way, and that is why R is the last index and not the commit index. An older entry
 * that is committed, or that a late acknowledgement still commits, was on a quorum before that quorum moved on to t. One
 * node of it elected this leader while it held the entry, and a node that repairs elects nobody, so the leader has it
 * (Fig. 3, Leader Completeness).
 */
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { NodeId, Repair, RepairReply } from "./Message.ts"
import * as Progress from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import type { PeerRepair } from "./Repairing.ts"
import * as Replication from "./Replication.ts"
import type { Leader, State } from "./State.ts"

/** Answers a beat: in place of an echo, the node asks for R. */
export const ask = (state: State, draft: Draft.Draft, to: NodeId, nonce: number): void =>
  Draft.sendAfterHardState(state, draft, to, { _tag: "Repair", term: state.currentTerm, nonce, answer: undefined })

/**
 * A peer repairs. What this leader knew of its log is void. From now on `matchIndex` says how far the transfer is, and
 * counts for nothing else.
 */
export const onRepair = (state: State, draft: Draft.Draft, leader: Leader, from: NodeId, message: Repair): void => {
  const known = leader.progress.get(from)
  // The words of a former life may come late.
  if (known === undefined || message.nonce < (known.repair?.nonce ?? 0)) return
  const progress = known.repair?.nonce === message.nonce ? known : beginAgain(state, leader, from, known, message.nonce)
  const repair = progress.repair!
  repair.heardMs = state.nowMs
  progress.lastContactMs = state.nowMs
  if (repair.throughIndex === undefined) name(state, draft, leader, from, repair)
  else tell(state, draft, from, repair)
  if (message.answer === undefined) Replication.sendAppend(state, draft, leader, from)
  else Replication.onAppendEntriesReply(state, draft, leader, from, message.answer)
}

const beginAgain = (
  state: State,
  leader: Leader,
  peer: NodeId,
  { commitSent, leaving }: Progress.Progress,
  nonce: number
): Progress.Progress => {
  const progress = Progress.make({ lastIndex: state.log.lastIndex, nowMs: state.nowMs })
  progress.leaving = leaving
  progress.commitSent = commitSent
  progress.repair = {
    nonce,
    readNumber: state.readNumber + 1,
    acks: new Set([state.nodeId]),
    throughIndex: undefined,
    heardMs: state.nowMs
  }
  leader.progress.set(peer, progress)
  return progress
}

/** A peer echoed a beat: it confirms this leader to those that repair and asked before the beat left. */
export const onEcho = (state: State, draft: Draft.Draft, leader: Leader, from: NodeId, readNumber: number): void => {
  for (const [peer, { repair }] of leader.progress) {
    if (repair === undefined || repair.throughIndex !== undefined || readNumber < repair.readNumber) continue
    repair.acks.add(from)
    name(state, draft, leader, peer, repair)
  }
}

/** Names R, once a quorum without the peer itself has confirmed this leader. */
const name = (state: State, draft: Draft.Draft, leader: Leader, peer: NodeId, repair: PeerRepair): void => {
  const isConfirmed = Quorum.isQuorum(state.configuration, (voter) => voter !== peer && repair.acks.has(voter))
  if (!isConfirmed || leader.progress.get(peer)?.repair !== repair) return
  repair.throughIndex = state.log.lastIndex
  tell(state, draft, peer, repair)
}

const tell = (state: State, draft: Draft.Draft, to: NodeId, { nonce, throughIndex }: PeerRepair): void => {
  if (throughIndex === undefined) return
  Draft.sendAfterHardState(state, draft, to, { _tag: "RepairReply", term: state.currentTerm, nonce, throughIndex })
}

/** The leader names R. The answer to an earlier repair of this node names nothing. */
export const onRepairReply = (state: State, draft: Draft.Draft, from: NodeId, message: RepairReply): void => {
  Election.hearLeader(state, draft, from)
  const { repairing } = state
  if (repairing === undefined || repairing.nonce !== message.nonce) return
  repairing.throughIndex = message.throughIndex
}

/** Ends the repair once this node holds its leader's log through R, on its disk, with its term and its vote. */
export const advance = (state: State, draft: Draft.Draft): void => {
  const { durableIndex, durableSeq, hardStateSeq, repairing, snapshotSeq, unwritten } = state
  if (repairing?.throughIndex === undefined) return
  const { throughIndex } = repairing
  // A leader holds all committed entries (Fig. 3, Leader Completeness), so they need no comparison.
  const matchedIndex = Math.max(repairing.matchedIndex, state.commitIndex)
  const isNoted = unwritten.hardState === undefined && unwritten.snapshot === undefined
  if (!isNoted || Math.max(hardStateSeq, snapshotSeq) > durableSeq) return
  if (Math.min(matchedIndex, durableIndex) < throughIndex) return
  state.repairing = undefined
  // A former life may have served reads up to there.
  state.recoveredIndex = Math.max(state.recoveredIndex, throughIndex)
  Election.resetElectionTimer(state)
  draft.repaired = { throughIndex }
}

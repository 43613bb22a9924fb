/** The metrics of a member of a cluster: consensus, its members, its log, its commands and its queues. docs/operating.md. */
import type { Member } from "../Cluster/Member.ts"
import { commitStandstillMs } from "../Raft/core/Standstill.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import type { Histogram } from "../Raft/node/Histogram.ts"
import { counter, flag, gauge, gauges, histograms, type MetricFamily, type Sample } from "./MetricFamily.ts"

type Families = ReadonlyArray<MetricFamily>

/** The members whose state is wrong, or may be wrong. */
const differing = ({ states }: NonNullable<ReturnType<Member["Service"]["node"]>>): ReadonlyArray<string> => {
  const { members, outliers } = states.difference() ?? { members: [], outliers: [] }
  return outliers.length > 0 ? outliers : members.map(({ id }) => id)
}

/** The metrics of consensus. A node without a cluster has only `lithair_formed`. */
export const consensusMetrics = (member: Member["Service"]): Families => {
  const node = member.node()
  const formed = gauge("lithair_formed", "1 once the node belongs to a cluster.", flag(node !== undefined))
  if (node === undefined) return [formed]
  const { core, measures } = node
  const durations = (value: Histogram): ReadonlyArray<Sample<Histogram>> => [{ value }]
  return [
    formed,
    gauge("lithair_raft_term", "The current term.", core.currentTerm),
    gauge("lithair_raft_is_leader", "1 on the leader.", flag(core.role._tag === "Leader")),
    gauge("lithair_raft_has_leader", "1 while the node knows a leader.", flag(member.leader() !== undefined)),
    gauge("lithair_raft_last_index", "The last entry of the log.", core.log.lastIndex),
    gauge("lithair_raft_durable_index", "The last entry that this node has synced to disk.", core.durableIndex),
    gauge("lithair_raft_commit_index", "The last entry that this node knows to be committed.", core.commitIndex),
    gauge("lithair_raft_applied_index", "The last entry that the tables reflect.", node.appliedIndex()),
    gauge("lithair_raft_disk_stalled", "1 while a write to the log hangs.", flag(core.diskStalled)),
    gauge(
      "lithair_raft_commit_standstill_seconds",
      "On the leader: for how long entries have waited for a commit although a quorum answers.",
      commitStandstillMs(core) / 1000
    ),
    gauge(
      "lithair_state_suspect",
      "1 while the state of this node differs from the state of a majority. Then the node serves no reads and does not lead.",
      flag(node.states.isSuspect())
    ),
    gauge("lithair_draining", "1 once the node is about to stop.", flag(member.isDraining())),
    ...memberMetrics(node),
    counter(
      "lithair_leader_changes_total",
      "How often this node learned of another leader, or of another term of one.",
      [{ value: measures.leaderChangesCount }]
    ),
    histograms(
      "lithair_log_sync_duration_seconds",
      "From a write to the log until the disk has it.",
      durations(measures.sync)
    ),
    histograms(
      "lithair_commit_duration_seconds",
      "On the leader: from a proposal until a quorum has it.",
      durations(measures.commit)
    ),
    histograms(
      "lithair_apply_duration_seconds",
      "How long a turn applied committed entries.",
      durations(measures.apply)
    ),
    histograms(
      "lithair_event_loop_delay_seconds",
      "How late the ticks of this node came.",
      durations(measures.loopDelay)
    )
  ]
}

/** What this node knows of each member. */
const memberMetrics = (node: NonNullable<ReturnType<Member["Service"]["node"]>>): Families => {
  const members = membersStatus(node.core)
  const wrong = differing(node)
  const ofMembers = (value: (member: (typeof members)[number]) => number | undefined): ReadonlyArray<Sample<number>> =>
    members.flatMap((each) => {
      const known = value(each)
      return known === undefined ? [] : [{ labels: { member: each.id }, value: known }]
    })
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000)
  return [
    gauges(
      "lithair_state_differs",
      "1 for members whose state differed at the last comparison: from a majority, or from each other if there is none.",
      ofMembers(({ id }) => flag(wrong.includes(id)))
    ),
    gauges(
      "lithair_raft_member_voter",
      "1 for members with a vote, 0 for learners.",
      ofMembers(({ isVoter }) => flag(isVoter))
    ),
    gauges(
      "lithair_raft_member_lag_entries",
      "Committed entries that a member does not hold yet. Only the leader knows this of other members.",
      ofMembers(({ lagCount }) => lagCount)
    ),
    gauges(
      "lithair_raft_member_standstill_seconds",
      "For how long a member has lacked committed entries and got none; 0 while it keeps up. Only the leader knows this of other members.",
      ofMembers(({ standstillMs }) => seconds(standstillMs))
    ),
    gauges(
      "lithair_raft_member_silent_seconds",
      "How long ago this node last heard from a member.",
      ofMembers(({ lastContactMs }) => seconds(lastContactMs))
    ),
    gauges(
      "lithair_peer_rtt_seconds",
      "On the leader: from a beat to its echo, smoothed; or how long a member has owed an echo, if that is longer.",
      ofMembers(({ id }) => node.measures.roundTrips.secondsOf(id))
    )
  ]
}

/** How long commands take. */
export const commandMetrics = (member: Member["Service"]): Families => {
  const all = member.commandDurations()
  return [
    histograms(
      "lithair_command_duration_seconds",
      "From a client's request of this node to its outcome, of commands of the cluster.",
      all.flatMap(({ asked, name }) =>
        Object.entries(asked).map(([outcome, value]) => ({ labels: { command: name, outcome }, value }))
      )
    ),
    histograms(
      "lithair_decide_duration_seconds",
      "On the leader: how long a decision of a command took, for which all others wait.",
      all.flatMap(({ decided, name }) => (decided === undefined ? [] : [{ labels: { command: name }, value: decided }]))
    )
  ]
}

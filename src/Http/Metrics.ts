/**
 * Serves `GET /metrics` for Prometheus: the node's own gauges, and the application's metrics from Effect's `Metric`.
 * docs/http.md, "Endpoints"; Prometheus text format 0.0.4.
 */
import { Effect, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import type { Backups } from "../Backup/Backups.ts"
import type { Member } from "../Cluster/Member.ts"
import type { LiveQueries } from "../Live/LiveQueries.ts"
import type { Projections } from "../Projection/Projections.ts"
import { commitStandstillMs } from "../Raft/core/Standstill.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import type { Reactions } from "../Reaction/Reactions.ts"
import type { EventStreams } from "./EventStream.ts"

/** A gauge: its name, its help, and its current values by label. */
interface Gauge {
  readonly name: `lithair_${string}`
  readonly help: string
  readonly values: ReadonlyArray<{ readonly labels?: Readonly<Record<string, string>>; readonly value: number }>
}

const gauge = (name: Gauge["name"], help: string, value: number): Gauge => ({ name, help, values: [{ value }] })

const flag = (is: boolean): number => (is ? 1 : 0)

/** The members whose state is wrong, or may be wrong. */
const differing = ({ states }: NonNullable<ReturnType<Member["Service"]["node"]>>): ReadonlyArray<string> => {
  const { members, outliers } = states.difference() ?? { members: [], outliers: [] }
  return outliers.length > 0 ? outliers : members.map(({ id }) => id)
}

/** The gauges of consensus. A node without a cluster has only `lithair_formed`. */
const raftGauges = (member: Member["Service"]): ReadonlyArray<Gauge> => {
  const node = member.node()
  const formed = gauge("lithair_formed", "1 once the node belongs to a cluster.", flag(node !== undefined))
  if (node === undefined) return [formed]
  const { core } = node
  const members = membersStatus(core)
  const appliedIndex = node.appliedIndex()
  const ofMembers = (value: (member: (typeof members)[number]) => number | undefined): Gauge["values"] =>
    members.flatMap((each) => {
      const known = value(each)
      return known === undefined ? [] : [{ labels: { member: each.id }, value: known }]
    })
  return [
    formed,
    gauge("lithair_raft_term", "The current term.", core.currentTerm),
    gauge("lithair_raft_is_leader", "1 on the leader.", flag(core.role._tag === "Leader")),
    gauge("lithair_raft_has_leader", "1 while the node knows a leader.", flag(member.leader() !== undefined)),
    gauge("lithair_raft_last_index", "The last entry of the log.", core.log.lastIndex),
    gauge("lithair_raft_durable_index", "The last entry that this node has synced to disk.", core.durableIndex),
    gauge("lithair_raft_commit_index", "The last entry that this node knows to be committed.", core.commitIndex),
    gauge("lithair_raft_applied_index", "The last entry that the tables reflect.", appliedIndex),
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
    {
      name: "lithair_state_differs",
      help: "1 for members whose state differed at the last comparison: from a majority, or from each other if there is none.",
      values: members.map(({ id }) => ({ labels: { member: id }, value: flag(differing(node).includes(id)) }))
    },
    gauge("lithair_draining", "1 once the node is about to stop.", flag(member.isDraining())),
    {
      name: "lithair_raft_member_voter",
      help: "1 for members with a vote, 0 for learners.",
      values: members.map(({ id, isVoter }) => ({ labels: { member: id }, value: flag(isVoter) }))
    },
    {
      name: "lithair_raft_member_lag_entries",
      help: "Committed entries that a member does not hold yet. Only the leader knows this of other members.",
      values: ofMembers(({ lagCount }) => lagCount)
    },
    {
      name: "lithair_raft_member_standstill_seconds",
      help: "For how long a member has lacked committed entries and got none; 0 while it keeps up. Only the leader knows this of other members.",
      values: ofMembers(({ standstillMs }) => (standstillMs === undefined ? undefined : standstillMs / 1000))
    },
    {
      name: "lithair_raft_member_silent_seconds",
      help: "How long ago this node last heard from a member.",
      values: ofMembers(({ lastContactMs }) => (lastContactMs === undefined ? undefined : lastContactMs / 1000))
    }
  ]
}

/** The gauges of everything in the cluster's state that can grow. */
const stateGauges = ({ tables }: Member["Service"]): ReadonlyArray<Gauge> => {
  // The machine's tables of node-local models are empty on every node: leave them out.
  const replicated = [...tables.byModel].filter(([model]) => tables.descriptors.get(model)?.mode !== "local")
  return [
    {
      name: "lithair_records",
      help: "Records of a replicated model.",
      values: replicated.map(([model, { rows }]) => ({ labels: { model }, value: rows.size }))
    },
    {
      name: "lithair_tombstones",
      help: "Deleted records that the machine remembers.",
      values: replicated.map(([model, { tombstones }]) => ({ labels: { model }, value: tombstones.size }))
    },
    gauge("lithair_idempotency_keys", "Opaque idempotency keys that the machine remembers.", tables.sessions.size),
    gauge("lithair_dated_keys", "Dated idempotency keys that the machine remembers.", tables.datedKeys.count)
  ]
}

const projectionGauges = (projections: Projections["Service"]): ReadonlyArray<Gauge> => {
  const all = projections.status()
  return [
    {
      name: "lithair_projection_lag_entries",
      help: "Entries that this node has applied and a projection has not.",
      values: all.map(({ lagCount, name }) => ({ labels: { projection: name }, value: lagCount }))
    },
    {
      name: "lithair_projection_failed",
      help: "1 if a projection has stopped.",
      values: all.map(({ failure, name }) => ({ labels: { projection: name }, value: flag(failure !== undefined) }))
    }
  ]
}

const reactionGauges = (reactions: Reactions["Service"]): ReadonlyArray<Gauge> => {
  const all = reactions.status()
  return [
    {
      name: "lithair_reaction_lag_entries",
      help: "Entries that this node has applied and a reaction has not reached. Followers go by the recorded position.",
      values: all.map(({ lagCount, name }) => ({ labels: { reaction: name }, value: lagCount }))
    },
    {
      name: "lithair_reaction_failing",
      help: "1 on the leader if a reaction has stopped or is retrying an event.",
      values: all.map(({ failure, name }) => ({ labels: { reaction: name }, value: flag(failure !== undefined) }))
    }
  ]
}

const backupGauges = (backups: Backups["Service"]): ReadonlyArray<Gauge> => {
  const all = backups.status()
  return [
    {
      name: "lithair_backup_lag_entries",
      help: "On the leader: applied entries that are not in the store of a scheduled backup yet.",
      values: all.map(({ lagCount, place }) => ({ labels: { store: place }, value: lagCount }))
    },
    {
      name: "lithair_backup_state_timestamp_seconds",
      help: "On the leader: the moment of the newest state in the store of a scheduled backup.",
      values: all.flatMap(({ place, snapshot }) =>
        snapshot === undefined ? [] : [{ labels: { store: place }, value: snapshot.timeMs / 1000 }]
      )
    },
    {
      name: "lithair_backup_failing",
      help: "1 on the leader while a scheduled backup fails.",
      values: all.map(({ failure, place }) => ({ labels: { store: place }, value: flag(failure !== undefined) }))
    }
  ]
}

/** Counts answers by status since the node started. */
export interface Answers {
  readonly count: (status: number) => void
  readonly byStatus: ReadonlyMap<number, number>
}

export const makeAnswers = (): Answers => {
  const byStatus = new Map<number, number>()
  return { byStatus, count: (status) => void byStatus.set(status, (byStatus.get(status) ?? 0) + 1) }
}

const answersName = "lithair_http_responses_total"

/** Writes the gauges into a registry for this scrape only, so that values that the node no longer has disappear. */
const write = (gauges: ReadonlyArray<Gauge>, answers: Answers) =>
  Effect.gen(function* () {
    for (const { help, name, values } of gauges) {
      for (const { labels = {}, value } of values) {
        yield* Metric.update(Metric.gauge(name, { description: help, attributes: labels }), value)
      }
    }
    for (const [status, count] of answers.byStatus) {
      const attributes = { status: String(status) }
      yield* Metric.update(Metric.counter(answersName, { description: "Answers by their status.", attributes }), count)
    }
    return yield* PrometheusMetrics.format()
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

export const metricsRoutes = (
  node: {
    readonly member: Member["Service"]
    readonly projections: Projections["Service"]
    readonly reactions: Reactions["Service"]
    readonly streams: EventStreams
    readonly live: LiveQueries["Service"]
    readonly backups: Backups["Service"]
  },
  answers: Answers
) =>
  [
    HttpRouter.route(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const { live, member, projections, reactions, streams } = node
        const { bytes, queriesCount } = live.status()
        const gauges = [
          ...raftGauges(member),
          ...stateGauges(member),
          ...projectionGauges(projections),
          ...reactionGauges(reactions),
          ...backupGauges(node.backups),
          gauge("lithair_event_streams", "Streams of events that clients have open.", streams.openCount()),
          gauge("lithair_live_queries", "Live queries that this node keeps right.", queriesCount),
          gauge("lithair_live_bytes", "The memory of live queries, as its bound counts it.", bytes)
        ]
        const own = yield* write(gauges, answers)
        const ofApplication = yield* PrometheusMetrics.format()
        return HttpServerResponse.text(`${own}${ofApplication}`, { contentType: "text/plain; version=0.0.4" })
      })
    )
  ] as const

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
import { boundsSeconds, type Histogram } from "../Raft/node/Histogram.ts"
import { pendingMaxCount } from "../Raft/node/Refusals.ts"
import type { Reactions } from "../Reaction/Reactions.ts"
import { type Admission, requestsMaxCount } from "./Admission.ts"
import type { Answers } from "./Answers.ts"
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

/** Only the leader runs reactions: another node does not know how far they are. */
const reactionGauges = (reactions: Reactions["Service"], isLeader: boolean): ReadonlyArray<Gauge> => {
  const all = isLeader ? reactions.status() : []
  return [
    {
      name: "lithair_reaction_lag_entries",
      help: "On the leader: entries that it has applied and a reaction has not reached.",
      values: all.map(({ lagCount, name }) => ({ labels: { reaction: name }, value: lagCount }))
    },
    {
      name: "lithair_reaction_failing",
      help: "On the leader: 1 if a reaction has stopped or is retrying an event.",
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

/** The queues of a node: how many wait in each, and how many may. */
const queueGauges = (member: Member["Service"], admission: Admission): ReadonlyArray<Gauge> => {
  const queues = [
    { queue: "commands", count: member.node()?.pendingCount() ?? 0, maxCount: pendingMaxCount },
    { queue: "requests", count: admission.underWay(), maxCount: requestsMaxCount }
  ]
  return [
    {
      name: "lithair_queue_depth",
      help: "Commands that wait for the leader's decision, and requests under way.",
      values: queues.map(({ count, queue }) => ({ labels: { queue }, value: count }))
    },
    {
      name: "lithair_queue_limit",
      help: "How many may wait: the node refuses one more.",
      values: queues.map(({ maxCount, queue }) => ({ labels: { queue }, value: maxCount }))
    }
  ]
}

/** The memory of this process. */
const memoryGauges = (): ReadonlyArray<Gauge> => {
  const { heapUsed, rss } = process.memoryUsage()
  return [
    gauge("lithair_heap_used_bytes", "Live objects, and garbage that was not collected yet.", heapUsed),
    gauge("lithair_resident_bytes", "The memory of the process.", rss)
  ]
}

/** A counter: its name, its help, and its values by one label. */
interface Counter {
  readonly name: `${string}_total`
  readonly help: string
  readonly label?: string
  readonly values: ReadonlyMap<string | number, number>
}

const counters = (member: Member["Service"], { byReason, byStatus }: Answers): ReadonlyArray<Counter> => [
  { name: "lithair_http_responses_total", help: "Answers by their status.", label: "status", values: byStatus },
  {
    name: "lithair_refused_total",
    help: "Requests that the node could not do now, by the kind of their problem.",
    label: "reason",
    values: byReason
  },
  {
    name: "lithair_leader_changes_total",
    help: "How often this node learned of another leader, or of another term of one.",
    values: new Map([["", member.node()?.measures.leaderChangesCount ?? 0]])
  }
]

/** A histogram as the text format has it: for each bound, the count of all durations up to it. */
const histogramText = (name: string, help: string, { counts, sumSeconds }: Histogram): string => {
  let count = 0
  const buckets = [...boundsSeconds, "+Inf"].map((bound, at) => {
    count += counts[at] ?? 0
    return `${name}_bucket{le="${bound}"} ${count}`
  })
  const head = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`]
  return `${[...head, ...buckets, `${name}_sum ${sumSeconds}`, `${name}_count ${count}`].join("\n")}\n`
}

const histograms = (member: Member["Service"], { durations }: Admission): string => {
  const measures = member.node()?.measures
  const all: ReadonlyArray<readonly [name: string, help: string, histogram: Histogram | undefined]> = [
    ["http_server_request_duration_seconds", "From the admission of a request to its answer.", durations],
    ["lithair_log_sync_duration_seconds", "From a write to the log until the disk has it.", measures?.sync],
    ["lithair_commit_duration_seconds", "On the leader: from a proposal until a quorum has it.", measures?.commit],
    ["lithair_apply_duration_seconds", "How long a turn applied committed entries.", measures?.apply],
    ["lithair_event_loop_delay_seconds", "How late the ticks of this node came.", measures?.loopDelay]
  ]
  return all
    .flatMap(([name, help, histogram]) => (histogram === undefined ? [] : [histogramText(name, help, histogram)]))
    .join("")
}

/** Writes the gauges into a registry for this scrape only, so that values that the node no longer has disappear. */
const write = (gauges: ReadonlyArray<Gauge>, counted: ReadonlyArray<Counter>) =>
  Effect.gen(function* () {
    for (const { help, name, values } of gauges) {
      for (const { labels = {}, value } of values) {
        yield* Metric.update(Metric.gauge(name, { description: help, attributes: labels }), value)
      }
    }
    for (const { help, label, name, values } of counted) {
      for (const [value, count] of values) {
        const attributes = label === undefined ? {} : { [label]: String(value) }
        yield* Metric.update(Metric.counter(name, { description: help, attributes }), count)
      }
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
  { admission, answers }: { readonly admission: Admission; readonly answers: Answers }
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
          ...reactionGauges(reactions, member.leader() === member.self.nodeId),
          ...queueGauges(member, admission),
          ...memoryGauges(),
          ...backupGauges(node.backups),
          gauge("lithair_event_streams", "Streams of events that clients have open.", streams.openCount()),
          gauge("lithair_live_queries", "Live queries that this node keeps right.", queriesCount),
          gauge("lithair_live_bytes", "The memory of live queries, as its bound counts it.", bytes)
        ]
        const own = yield* write(gauges, counters(member, answers))
        const ofApplication = yield* PrometheusMetrics.format()
        return HttpServerResponse.text(`${own}${histograms(member, admission)}${ofApplication}`, {
          contentType: "text/plain; version=0.0.4"
        })
      })
    )
  ] as const

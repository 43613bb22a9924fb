/**
 * Serves `GET /metrics` for Prometheus: the node's own metrics, and the application's from Effect's `Metric`.
 * docs/http.md, "Endpoints"; Prometheus text format 0.0.4.
 */
import { getHeapStatistics } from "node:v8"
import { Clock, Effect, Metric } from "effect"
import { HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import type { Backups } from "../Backup/Backups.ts"
import type { Member } from "../Cluster/Member.ts"
import type { DiskUsage } from "../EventStore/DiskUsage.ts"
import type { LiveQueries } from "../Live/LiveQueries.ts"
import { keyUsage } from "../Machine/KeyUsage.ts"
import type { Projections } from "../Projection/Projections.ts"
import type { LedStatus } from "../Reaction/Led.ts"
import type { Reactions } from "../Reaction/Reactions.ts"
import type { SqlProjections } from "../Sql/SqlProjections.ts"
import { type Admission, requestsMaxCount } from "./Admission.ts"
import type { Answers } from "./Answers.ts"
import { type Audit, labelsOf } from "./Audit.ts"
import { commandMetrics, consensusMetrics } from "./ConsensusMetrics.ts"
import type { EventStreams } from "./EventStream.ts"
import { counter, counterBy, flag, gauge, gauges, histograms, type MetricFamily, registryOf } from "./MetricFamily.ts"
import { viewing } from "./OperatorRoutes.ts"

type Families = ReadonlyArray<MetricFamily>

/** Everything in the cluster's state that can grow. */
const stateMetrics = ({ tables }: Member["Service"]): Families => {
  // The machine's tables of node-local models are empty on every node: leave them out.
  const replicated = [...tables.byModel].filter(([model]) => tables.descriptors.get(model)?.mode !== "local")
  const keys = Object.entries(keyUsage(tables))
  return [
    gauges(
      "lithair_records",
      "Records of a replicated model.",
      replicated.map(([model, { rows }]) => ({ labels: { model }, value: rows.size }))
    ),
    gauges(
      "lithair_tombstones",
      "Deleted records that the machine remembers.",
      replicated.map(([model, { tombstones }]) => ({ labels: { model }, value: tombstones.size }))
    ),
    gauges(
      "lithair_keys",
      "Idempotency keys that the machine remembers.",
      keys.map(([kind, { count }]) => ({ labels: { kind }, value: count }))
    ),
    gauges(
      "lithair_keys_limit",
      "How many keys it may remember: it refuses further opaque ones, and forgets the oldest dated ones.",
      keys.map(([kind, { max }]) => ({ labels: { kind }, value: max }))
    )
  ]
}

/** Every node folds projections: each tells how far its own are. */
const projectionMetrics = (projections: Projections["Service"]): Families => {
  const all = projections.status()
  return [
    gauges(
      "lithair_projection_lag_entries",
      "Entries that this node has applied and a projection has not.",
      all.map(({ lagCount, name }) => ({ labels: { projection: name }, value: lagCount }))
    ),
    gauges(
      "lithair_projection_failed",
      "1 if a projection has stopped.",
      all.map(({ failure, name }) => ({ labels: { projection: name }, value: flag(failure !== undefined) }))
    )
  ]
}

/** Only the leader runs reactions and projections into SQL: another node does not know how far they are. */
const ledMetrics = (
  { reactions, intoSql }: { readonly reactions: Reactions["Service"]; readonly intoSql: SqlProjections["Service"] },
  isLeader: boolean,
  nowMs: number
): Families => {
  const ages = ({ oldestEventMs }: LedStatus) =>
    oldestEventMs === undefined ? 0 : Math.max(0, nowMs - oldestEventMs) / 1000
  const of =
    (label: "reaction" | "projection", all: ReadonlyArray<LedStatus>) => (value: (each: LedStatus) => number) =>
      (isLeader ? all : []).map((each) => ({ labels: { [label]: each.name }, value: value(each) }))
  const ofReactions = of("reaction", reactions.status())
  const ofSql = of("projection", intoSql.status())
  return [
    gauges(
      "lithair_reaction_lag_entries",
      "On the leader: entries that it has applied and a reaction has not reached.",
      ofReactions(({ lagCount }) => lagCount)
    ),
    gauges(
      "lithair_reaction_failing",
      "On the leader: 1 if a reaction has stopped or is retrying an event.",
      ofReactions(({ failure }) => flag(failure !== undefined))
    ),
    gauges(
      "lithair_reaction_oldest_event_age_seconds",
      "On the leader: how long ago the oldest event was committed that a reaction has not done; 0 if it has done all.",
      ofReactions(ages)
    ),
    gauges(
      "lithair_sql_projection_lag_entries",
      "On the leader: entries that it has applied and the rows of a projection into SQL do not reflect.",
      ofSql(({ lagCount }) => lagCount)
    ),
    gauges(
      "lithair_sql_projection_failing",
      "On the leader: 1 if a projection into SQL has stopped, is retrying an event, or its database does not answer.",
      ofSql(({ failure }) => flag(failure !== undefined))
    ),
    gauges(
      "lithair_sql_projection_oldest_event_age_seconds",
      "On the leader: how long ago the oldest event was committed that waits for the database; 0 if none does.",
      ofSql(ages)
    )
  ]
}

const backupMetrics = (backups: Backups["Service"]): Families => {
  const all = backups.status()
  return [
    gauges(
      "lithair_backup_lag_entries",
      "On the leader: applied entries that are not in the store of a scheduled backup yet.",
      all.map(({ lagCount, place }) => ({ labels: { store: place }, value: lagCount }))
    ),
    gauges(
      "lithair_backup_state_timestamp_seconds",
      "On the leader: the moment of the newest state in the store of a scheduled backup.",
      all.flatMap(({ place, snapshot }) =>
        snapshot === undefined ? [] : [{ labels: { store: place }, value: snapshot.timeMs / 1000 }]
      )
    ),
    gauges(
      "lithair_backup_failing",
      "1 on the leader while a scheduled backup fails.",
      all.map(({ failure, place }) => ({ labels: { store: place }, value: flag(failure !== undefined) }))
    )
  ]
}

/** The queues of a node: how many wait in each, and how many may. */
const queueMetrics = (member: Member["Service"], admission: Admission): Families => {
  const queues = [...member.queues(), { queue: "requests", count: admission.underWay(), maxCount: requestsMaxCount }]
  return [
    gauges(
      "lithair_queue_depth",
      "Commands that wait for this leader's decision, those that this node has forwarded to the leader, and requests under way.",
      queues.map(({ count, queue }) => ({ labels: { queue }, value: count }))
    ),
    gauges(
      "lithair_queue_limit",
      "How many may wait: the node refuses one more.",
      queues.map(({ maxCount, queue }) => ({ labels: { queue }, value: maxCount }))
    )
  ]
}

/** The memory of this process, and its disk. */
const roomMetrics = (disk: DiskUsage | undefined): Families => {
  const { heapUsed, rss } = process.memoryUsage()
  const ofDisk =
    disk === undefined
      ? []
      : [
          gauge("lithair_disk_free_bytes", "The bytes that this process may still write to its disk.", disk.freeBytes),
          gauge("lithair_disk_used_bytes", "The bytes in the files of the data directory.", disk.usedBytes)
        ]
  return [
    gauge("lithair_heap_used_bytes", "Live objects, and garbage that was not collected yet.", heapUsed),
    ...heapLimit,
    gauge("lithair_resident_bytes", "The memory of the process.", rss),
    ...ofDisk
  ]
}

/** Bun's engine has no such limit, and what it calls so grows with the heap. */
const heapLimit: Families =
  "bun" in process.versions
    ? []
    : [
        gauge(
          "lithair_heap_limit_bytes",
          "The size of live objects at which the process ends.",
          getHeapStatistics().heap_size_limit
        )
      ]

/** What this node answered, and how long that took. */
const answerMetrics = ({ byReason, byStatus }: Answers, { durations }: Admission, audit: Audit): Families => [
  counter(
    "lithair_access_denied_total",
    "Requests that were denied, by what they asked for.",
    Array.from(audit.denials(), (denial) => ({ labels: labelsOf(denial), value: denial.count }))
  ),
  histograms("http_server_request_duration_seconds", "From the admission of a request to its answer.", [
    { value: durations }
  ]),
  counterBy("lithair_http_responses_total", "Answers by their status.", "status", byStatus),
  counterBy(
    "lithair_refused_total",
    "Requests that the node could not do now, by the kind of their problem.",
    "reason",
    byReason
  )
]

/** Makes the route `/metrics`. */
export const metricsRoutes = (
  node: {
    readonly member: Member["Service"]
    readonly projections: Projections["Service"]
    readonly reactions: Reactions["Service"]
    readonly intoSql: SqlProjections["Service"]
    readonly streams: EventStreams
    readonly live: LiveQueries["Service"]
    readonly backups: Backups["Service"]
  },
  { admission, answers, audit }: { readonly admission: Admission; readonly answers: Answers; readonly audit: Audit }
) =>
  [
    viewing(
      "/metrics",
      Effect.gen(function* () {
        const { live, member, projections, streams } = node
        const { bytes, queriesCount } = live.status()
        const nowMs = yield* Clock.currentTimeMillis
        const families = [
          ...consensusMetrics(member),
          ...commandMetrics(member),
          ...stateMetrics(member),
          ...projectionMetrics(projections),
          ...ledMetrics(node, member.leader() === member.self.nodeId, nowMs),
          ...queueMetrics(member, admission),
          ...answerMetrics(answers, admission, audit),
          ...roomMetrics(yield* member.diskUsage),
          ...backupMetrics(node.backups),
          gauge("lithair_event_streams", "Streams of events that clients have open.", streams.openCount()),
          gauge("lithair_live_queries", "Live queries that this node keeps right.", queriesCount),
          gauge("lithair_live_bytes", "The memory of live queries, as its bound counts it.", bytes)
        ]
        const registry = registryOf(families, yield* Metric.MetricRegistry)
        const text = yield* Effect.provideService(PrometheusMetrics.format(), Metric.MetricRegistry, registry)
        return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4" })
      })
    )
  ] as const

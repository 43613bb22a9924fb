/** `GET /metrics`: how a node stands, as a scraper reads it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
import { TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const counted = Projection.make("counted", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (count) => count + 1
})

class View extends Model.Class<View>("View")({ id: Model.id(Schema.String), html: Schema.String }, { mode: "local" }) {}

const stubborn = Reaction.make("stubborn", { from: [Product], run: () => Effect.fail("not today") })

const provide = Effect.provide(
  TestCluster.layer({ models: [Product, View], projections: [counted], reactions: [stubborn] })
)

const metrics = Effect.flatMap(HttpClient.get("/metrics"), ({ text }) => text)

const valueOf = (scraped: string, series: string): string | undefined =>
  scraped
    .split("\n")
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1)

describe("metrics", () => {
  it.effect("a node tells its place in consensus, its records, what lags or fails, and what it answered", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      const create = HttpClientRequest.post("/api/products").pipe(
        HttpClientRequest.bodyJsonUnsafe({ name: "Anvil" }),
        HttpClient.execute
      )
      yield* cluster.on(leader, create)
      yield* cluster.on(leader, HttpClient.get("/api/nothing"))
      yield* cluster.settle
      for (const node of cluster.nodes) {
        const scraped = yield* cluster.on(node, metrics)
        assert.strictEqual(valueOf(scraped, "lithair_raft_is_leader"), node === leader ? "1" : "0")
        assert.strictEqual(valueOf(scraped, 'lithair_records{model="Product"}'), "1")
        assert.notInclude(scraped, 'model="View"', "what a node alone holds is no state of the cluster")
        assert.strictEqual(valueOf(scraped, 'lithair_projection_failed{projection="counted"}'), "0")
        // Only the leader runs reactions, and knows how far they are.
        const failing = valueOf(scraped, 'lithair_reaction_failing{reaction="stubborn"}')
        assert.strictEqual(failing, node === leader ? "1" : undefined)
        const lag = valueOf(scraped, 'lithair_reaction_lag_entries{reaction="stubborn"}')
        if (node === leader) assert.isAbove(Number(lag), 0)
        else assert.isUndefined(lag)
        for (const name of ["lithair_log_sync", "lithair_apply", "lithair_event_loop_delay"]) {
          const seconds = name.endsWith("delay") ? name : `${name}_duration`
          assert.isAbove(Number(valueOf(scraped, `${seconds}_seconds_count`)), 0, name)
        }
        assert.isAtLeast(Number(valueOf(scraped, "lithair_leader_changes_total")), 1)
        assert.strictEqual(valueOf(scraped, 'lithair_queue_depth{queue="commands"}'), "0")
        assert.strictEqual(valueOf(scraped, 'lithair_queue_limit{queue="commands"}'), "4096")
        assert.strictEqual(
          valueOf(scraped, "lithair_raft_applied_index"),
          valueOf(scraped, "lithair_raft_commit_index")
        )
        const committed = Number(valueOf(scraped, "lithair_commit_duration_seconds_count"))
        if (node !== leader) {
          assert.strictEqual(committed, 0, "only a leader knows when a quorum holds an entry")
          continue
        }
        assert.isAbove(committed, 0)
        assert.isAtLeast(Number(valueOf(scraped, "http_server_request_duration_seconds_count")), 1)
        assert.strictEqual(valueOf(scraped, 'lithair_http_responses_total{status="201"}'), "1")
        assert.strictEqual(valueOf(scraped, 'lithair_http_responses_total{status="404"}'), "1")
        for (const member of cluster.nodes) {
          assert.strictEqual(valueOf(scraped, `lithair_raft_member_lag_entries{member="${member}"}`), "0")
          assert.strictEqual(valueOf(scraped, `lithair_raft_member_standstill_seconds{member="${member}"}`), "0")
        }
      }
    }).pipe(provide)
  )

  it.effect("each gauge is said once, with its help and its type (Prometheus text format 0.0.4)", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const response = yield* on("n1", HttpClient.get("/metrics"))
      assert.match(response.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/)
      const lines = (yield* on("n1", metrics)).trimEnd().split("\n")
      const typed = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2])
      assert.strictEqual(new Set(typed).size, typed.length)
      for (const line of lines.filter((each) => !each.startsWith("#"))) {
        assert.match(line, /^[a-z_]+(\{[^}]*\})? -?[0-9.e+-]+$/)
        const [name = ""] = line.split(/[ {]/)
        assert.include(typed, typed.includes(name) ? name : name.replace(/_(bucket|sum|count)$/, ""))
      }
    }).pipe(provide)
  )

  it.effect("what the application counts by Effect's Metric stands there too", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      yield* Metric.update(Metric.counter("mails_sent_total"), 3)
      assert.strictEqual(valueOf(yield* on("n1", metrics), "mails_sent_total"), "3")
    }).pipe(provide)
  )
})

/** `GET /metrics`: how a node stands, as a scraper reads it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
import { TestCluster } from "../../src/Testing.ts"
import { readMetrics, valueIn } from "./PrometheusText.ts"

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

class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {}, { httpApiStatus: 409 }) {}
const refuse = Command.make("refuse", { payload: Schema.Struct({}), success: Schema.Void, error: [Refusal] })

const provide = Effect.provide(
  TestCluster.layer({
    models: [Product, View],
    projections: [counted],
    reactions: [stubborn],
    commands: [refuse]
  }).pipe(Layer.provide(Command.layer(refuse, () => Effect.fail(new Refusal()))))
)

const text = Effect.flatMap(HttpClient.get("/metrics"), (response) => response.text)
const metrics = Effect.map(text, readMetrics)

const post = (path: string, body: unknown) =>
  HttpClientRequest.post(path).pipe(HttpClientRequest.bodyJsonUnsafe(body), HttpClient.execute)

describe("metrics", () => {
  it.effect("a node tells its place in consensus, its records, what lags or fails, and what it answered", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      yield* cluster.on(leader, post("/api/products", { name: "Anvil" }))
      yield* cluster.on(leader, HttpClient.get("/api/nothing"))
      yield* cluster.settle
      yield* cluster.advance("1 second")
      for (const node of cluster.nodes) {
        const scraped = yield* cluster.on(node, metrics)
        const valueOf = (name: string, labels: Record<string, string> = {}) => valueIn(scraped, name, labels)
        assert.strictEqual(valueOf("lithair_raft_is_leader"), node === leader ? 1 : 0)
        assert.strictEqual(valueOf("lithair_records", { model: "Product" }), 1)
        assert.isUndefined(
          valueOf("lithair_records", { model: "View" }),
          "what a node alone holds is no state of the cluster"
        )
        assert.strictEqual(valueOf("lithair_projection_failed", { projection: "counted" }), 0)
        // Only the leader runs reactions, and knows how far they are.
        const failing = valueOf("lithair_reaction_failing", { reaction: "stubborn" })
        assert.strictEqual(failing, node === leader ? 1 : undefined)
        const lag = valueOf("lithair_reaction_lag_entries", { reaction: "stubborn" })
        const age = valueOf("lithair_reaction_oldest_event_age_seconds", { reaction: "stubborn" })
        if (node === leader) {
          assert.isAbove(lag!, 0)
          assert.isAtLeast(age!, 1)
        } else assert.deepStrictEqual([lag, age], [undefined, undefined])
        for (const name of ["lithair_log_sync_duration", "lithair_apply_duration", "lithair_event_loop_delay"]) {
          assert.isAbove(valueOf(`${name}_seconds_count`)!, 0, name)
        }
        assert.isAtLeast(valueOf("lithair_leader_changes_total")!, 1)
        for (const queue of ["commands", "forwarded", "requests"]) {
          // The scrape itself is urgent, and waits in no queue.
          assert.strictEqual(valueOf("lithair_queue_depth", { queue }), 0, queue)
          assert.strictEqual(valueOf("lithair_queue_limit", { queue }), 4096, queue)
        }
        assert.isAtLeast(valueOf("lithair_keys", { kind: "dated" })!, 1)
        assert.strictEqual(valueOf("lithair_keys", { kind: "opaque" }), 0)
        assert.strictEqual(valueOf("lithair_keys_limit", { kind: "opaque" }), 400_000)
        const heapLimit = valueOf("lithair_heap_limit_bytes")
        if ("bun" in process.versions) assert.isUndefined(heapLimit)
        else assert.isAbove(heapLimit!, valueOf("lithair_heap_used_bytes")!)
        assert.isUndefined(valueOf("lithair_disk_free_bytes"), "a disk in memory has no end")
        assert.strictEqual(valueOf("lithair_raft_applied_index"), valueOf("lithair_raft_commit_index"))
        const committed = valueOf("lithair_commit_duration_seconds_count")!
        const others = cluster.nodes.filter((other) => other !== leader)
        const trips = others.map((member) => valueOf("lithair_peer_rtt_seconds", { member }))
        if (node !== leader) {
          assert.strictEqual(committed, 0, "only a leader knows when a quorum holds an entry")
          assert.deepStrictEqual(trips, [undefined, undefined])
          continue
        }
        assert.isAbove(committed, 0)
        assert.isTrue(
          trips.every((seconds) => seconds! > 0 && seconds! < 0.5),
          String(trips)
        )
        assert.isUndefined(valueOf("lithair_peer_rtt_seconds", { member: leader }))
        assert.isAtLeast(valueOf("http_server_request_duration_seconds_count")!, 1)
        assert.strictEqual(valueOf("lithair_http_responses_total", { status: "201" }), 1)
        assert.strictEqual(valueOf("lithair_http_responses_total", { status: "404" }), 1)
        for (const member of cluster.nodes) {
          assert.strictEqual(valueOf("lithair_raft_member_lag_entries", { member }), 0)
          assert.strictEqual(valueOf("lithair_raft_member_standstill_seconds", { member }), 0)
        }
      }
    }).pipe(provide)
  )

  it.effect(
    "commands are told by their name and outcome where they were asked, and by name where they were decided",
    () =>
      Effect.gen(function* () {
        const cluster = yield* TestCluster
        const leader = yield* cluster.leader
        const follower = cluster.nodes.find((node) => node !== leader)!
        const asked = Effect.gen(function* () {
          yield* post("/api/products", { name: "Anvil" })
          yield* post("/api/products", { name: "" })
          yield* post("/api/products/_bulk", [{ name: "Rope" }])
          yield* post("/api/_commands/refuse", {})
          yield* HttpClient.del("/api/products/019aa000-0000-7000-8000-000000000001")
        })
        yield* cluster.on(follower, asked)
        const here = yield* cluster.on(follower, metrics)
        const there = yield* cluster.on(leader, metrics)
        const counts = (scraped: typeof here, name: string) =>
          Object.fromEntries(
            (scraped.get(name)?.series ?? [])
              .filter((each) => each.name.endsWith("_count") && !each.labels.command?.includes("lithair/"))
              .map(({ labels, value }) => [[labels.command, labels.outcome].join(" ").trim(), value])
          )
        assert.deepStrictEqual(counts(here, "lithair_command_duration_seconds"), {
          "Create Product accepted": 1,
          "Create Product rejected": 1,
          "Bulk accepted": 1,
          "refuse rejected": 1,
          "Delete Product rejected": 1
        })
        assert.deepStrictEqual(counts(here, "lithair_decide_duration_seconds"), {})
        assert.deepStrictEqual(counts(there, "lithair_command_duration_seconds"), {})
        const decided = counts(there, "lithair_decide_duration_seconds")
        assert.deepStrictEqual(
          [decided["Create Product"], decided.Bulk, decided.refuse, decided["Delete Product"]],
          [2, 1, 1, 1]
        )
        // What is not done is no rejection.
        yield* cluster.partition([follower])
        yield* cluster.on(follower, post("/api/products", { name: "Late" }))
        const alone = counts(yield* cluster.on(follower, metrics), "lithair_command_duration_seconds")
        assert.strictEqual((alone["Create Product not-done"] ?? 0) + (alone["Create Product unknown"] ?? 0), 1)
      }).pipe(provide)
  )

  it.effect(
    "the answer is Prometheus text format 0.0.4 to the letter, whatever the application names its metrics",
    () =>
      Effect.gen(function* () {
        const { on } = yield* TestCluster
        const response = yield* on("n1", HttpClient.get("/metrics"))
        assert.match(response.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/)
        yield* Metric.update(
          Metric.counter("mails.sent total", { description: "a\\b\nc", attributes: { to: 'a "b" \\ \n}' } }),
          3
        )
        // A name of the node's own stays the node's.
        yield* Metric.update(Metric.gauge("lithair_records"), 77)
        const scraped = yield* on("n1", metrics)
        assert.strictEqual(valueIn(scraped, "mails_sent_total", { to: 'a "b" \\ \n}' }), 3)
        assert.isUndefined(valueIn(scraped, "lithair_records"))
        const own = [...scraped.values()].filter(({ name }) => name !== "mails_sent_total")
        for (const { help, name } of own) assert.match(help ?? "", /\.$/, name)
      }).pipe(provide, Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

describe("the reader of these tests", () => {
  for (const [what, wrong] of Object.entries({
    "a series of no type": "a 1\n",
    "a name twice": "# TYPE a gauge\na 1\n# TYPE a gauge\na 2\n",
    "a series twice": '# TYPE a gauge\na{b="1",c="2"} 1\na{c="2",b="1"} 2\n',
    "no end of a line": "# TYPE a gauge\na 1",
    "an escape that is none": '# TYPE a gauge\na{b="\\t"} 1\n',
    "a label that does not end": '# TYPE a gauge\na{b="1} 1\n',
    "a value that is none": "# TYPE a gauge\na one\n",
    "a counter below zero": "# TYPE a counter\na -1\n",
    "counts that fall": '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    "no last bucket": '# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n',
    "a count beside the last bucket": '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n'
  })) {
    it(`refuses ${what}`, () => assert.throws(() => readMetrics(wrong)))
  }
})

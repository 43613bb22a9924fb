/**
 * The questions of an operator (docs/operating.md), each with its trouble: the metric or the line that the page names must
 * tell it. Whole clusters in virtual time, with slow disks, paused processes and cut networks; a node in real time where
 * the trouble is the processor, the memory or a real disk. seeing.test.ts of the processes has real ones.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Member } from "../../src/Cluster/Member.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import type { Tables } from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { freeMemory } from "../../src/Node/FreeMemory.ts"
import { layer } from "../../src/node.ts"
import * as Projection from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
import { TestCluster } from "../../src/Testing.ts"
import { readMetrics, valueIn } from "../Http/PrometheusText.ts"
import { freePort } from "../processes/Processes.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const page = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8")

const metrics = Effect.flatMap(HttpClient.get("/metrics"), (response) => Effect.map(response.text, readMetrics))
const valueOf = (name: string, labels: Record<string, string> = {}) =>
  Effect.map(metrics, (scraped) => valueIn(scraped, name, labels))

const create = (name: string, headers: Record<string, string> = {}) =>
  HttpClientRequest.post("/api/products").pipe(
    HttpClientRequest.setHeaders(headers),
    HttpClientRequest.bodyJsonUnsafe({ name }),
    HttpClient.execute,
    Effect.map(({ status }) => status)
  )

/** Runs on a cluster, with what its nodes wrote into their logs. */
const withCluster = <E>(
  use: (logged: ReadonlyArray<string>) => Effect.Effect<void, E, TestCluster>,
  options: Partial<Parameters<typeof TestCluster.layer<never, never>>[0]> = {}
) => {
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${message}`))
  return use(logged).pipe(
    Effect.provide(TestCluster.layer({ models: [Product], ...options })),
    Effect.provide(Logger.layer([logger]))
  )
}

/** The line that begins like this must be in the log, and on the page. */
const isSaid = (logged: ReadonlyArray<string>, line: RegExp, onPage: string): void => {
  assert.isTrue(
    logged.some((each) => line.test(each)),
    `${line} is in ${logged.join("\n")}`
  )
  assert.include(page, onPage)
}

const leaderAndOthers = Effect.gen(function* () {
  const { leader, nodes } = yield* TestCluster
  const first = yield* leader
  const others = nodes.filter((node) => node !== first) as [string, string]
  return { first, others }
})

describe("an operator asks", () => {
  it.effect("is a disk slow? The syncs of that node are, and a line says so", () =>
    withCluster((logged) =>
      Effect.gen(function* () {
        const { advance, disk, on } = yield* TestCluster
        const { first, others } = yield* leaderAndOthers
        const [slow, quick] = others
        yield* disk(slow, { delayMs: 300 })
        for (const name of ["a", "b", "c"]) {
          yield* on(first, create(name))
          yield* advance("1 second")
        }
        /** Syncs of more than 250 ms. */
        const slowSyncs = Effect.gen(function* () {
          const all = yield* valueOf("lithair_log_sync_duration_seconds_count")
          return all! - (yield* valueOf("lithair_log_sync_duration_seconds_bucket", { le: "0.25" }))!
        })
        assert.isAtLeast(yield* on(slow, slowSyncs), 3)
        assert.strictEqual(yield* on(quick, slowSyncs), 0)
        isSaid(logged, /^Warn A sync of the log took 3\d\d ms/, "A sync of the log took")
        // A quorum does not wait for it.
        const commits = yield* on(first, valueOf("lithair_commit_duration_seconds_bucket", { le: "0.25" }))
        assert.strictEqual(commits, yield* on(first, valueOf("lithair_commit_duration_seconds_count")))
        // If a quorum's disks are slow, the commits are.
        yield* disk(quick, { delayMs: 300 })
        yield* on(first, create("d"))
        assert.isBelow(commits!, (yield* on(first, valueOf("lithair_commit_duration_seconds_count")))!)
        assert.strictEqual(commits, yield* on(first, valueOf("lithair_commit_duration_seconds_bucket", { le: "0.25" })))
      })
    )
  )

  it.effect("is a peer slow, or gone? The leader knows how long its echo takes, and how much it lacks", () =>
    withCluster((logged) =>
      Effect.gen(function* () {
        const { advance, crash, on, pause, resume } = yield* TestCluster
        const { first, others } = yield* leaderAndOthers
        const [slow, quick] = others
        yield* advance("1 second")
        yield* pause(slow)
        for (const name of ["a", "b", "c"]) yield* on(first, create(name))
        yield* advance("3 seconds")
        assert.isAbove((yield* on(first, valueOf("lithair_peer_rtt_seconds", { member: slow })))!, 2)
        assert.isBelow((yield* on(first, valueOf("lithair_peer_rtt_seconds", { member: quick })))!, 0.2)
        assert.isAtLeast((yield* on(first, valueOf("lithair_raft_member_lag_entries", { member: slow })))!, 3)
        assert.isAbove((yield* on(first, valueOf("lithair_raft_member_silent_seconds", { member: slow })))!, 2)
        yield* resume(slow)
        yield* advance("10 seconds")
        assert.strictEqual(yield* on(first, valueOf("lithair_raft_member_lag_entries", { member: slow })), 0)
        yield* crash(slow)
        yield* advance("1 second")
        isSaid(logged, new RegExp(`^Warn Lost the connection to ${slow}`), "Lost the connection to")
      })
    )
  )

  it.effect(
    "is a queue full? Its depth is its limit, and others are refused as overloaded",
    () =>
      withCluster(() =>
        Effect.gen(function* () {
          const { disk, nodes, on } = yield* TestCluster
          const { first } = yield* leaderAndOthers
          for (const node of nodes) yield* disk(node, { delayMs: 1_000 })
          const flood = Effect.forEach(Array.from({ length: 4_200 }), (_, at) => create(`p${at}`), {
            concurrency: "unbounded"
          })
          const depth = Effect.gen(function* () {
            let most = 0
            while (most < 4_096) {
              most = Math.max(most, (yield* valueOf("lithair_queue_depth", { queue: "requests" }))!)
              yield* Effect.sleep("20 millis")
            }
            return most
          })
          const [statuses, most] = yield* on(first, Effect.all([flood, depth], { concurrency: 2 }))
          assert.strictEqual(most, yield* on(first, valueOf("lithair_queue_limit", { queue: "requests" })))
          const refused = statuses.filter((status) => status === 503).length
          assert.isAtLeast(refused, 4_200 - 4_096)
          assert.strictEqual(yield* on(first, valueOf("lithair_refused_total", { reason: "overloaded" })), refused)
        })
      ),
    120_000
  )

  it.effect(
    "does a reaction hang? It fails, its oldest event grows old, and a line says which event; then it goes on",
    () => {
      const mail = { isDown: true }
      const send = Reaction.make("mail", {
        from: [Product],
        run: () => Effect.suspend(() => (mail.isDown ? Effect.fail(new Error("no route")) : Effect.void))
      })
      return withCluster(
        (logged) =>
          Effect.gen(function* () {
            const { advance, on } = yield* TestCluster
            const { first, others } = yield* leaderAndOthers
            const reaction = { reaction: "mail" }
            yield* on(first, create("a"))
            yield* advance("20 seconds")
            assert.strictEqual(yield* on(first, valueOf("lithair_reaction_failing", reaction)), 1)
            assert.isAtLeast((yield* on(first, valueOf("lithair_reaction_oldest_event_age_seconds", reaction)))!, 20)
            assert.isUndefined(yield* on(others[0], valueOf("lithair_reaction_oldest_event_age_seconds", reaction)))
            isSaid(logged, /^Warn The reaction mail failed at event \d+\.0, trying again/, "failed at event")
            assert.strictEqual(logged.filter((line) => line.includes("The reaction mail failed")).length, 1)
            mail.isDown = false
            yield* advance("30 seconds")
            isSaid(logged, /^Info The reaction mail goes on behind event \d+\.0/, "goes on behind event")
            assert.strictEqual(yield* on(first, valueOf("lithair_reaction_failing", reaction)), 0)
            assert.strictEqual(yield* on(first, valueOf("lithair_reaction_oldest_event_age_seconds", reaction)), 0)
          }),
        { reactions: [send] }
      )
    }
  )

  it.effect("did a projection stop? It lags more and more on each node, and a line says why", () => {
    const fragile = Projection.make("fragile", {
      from: [Product],
      version: 1,
      state: Schema.Int,
      initial: 0,
      evolve: (count, { record }) => {
        if (record.name === "poison") throw new Error("a bug of the projection")
        return count + 1
      }
    })
    return withCluster(
      (logged) =>
        Effect.gen(function* () {
          const { nodes, on, settle } = yield* TestCluster
          const { first } = yield* leaderAndOthers
          for (const name of ["a", "poison", "b", "c"]) yield* on(first, create(name))
          yield* settle
          for (const node of nodes) {
            const labels = { projection: "fragile" }
            assert.strictEqual(yield* on(node, valueOf("lithair_projection_failed", labels)), 1)
            assert.isAtLeast((yield* on(node, valueOf("lithair_projection_lag_entries", labels)))!, 3)
          }
          isSaid(logged, /^Error The projection fragile stops at \d+/, "The projection")
        }),
      { projections: [fragile] }
    )
  })

  it.effect("are there too many elections? Each one counts, and has its lines", () =>
    withCluster((logged) =>
      Effect.gen(function* () {
        const { leader, on, restart, settle } = yield* TestCluster
        const { others } = yield* leaderAndOthers
        const watched = others[1]
        const before = yield* on(watched, valueOf("lithair_leader_changes_total"))
        let changesCount = 0
        for (let times = 0; times < 4; times++) {
          const leading = yield* leader
          if (leading === watched) break
          yield* restart(leading)
          yield* settle
          changesCount += 1
        }
        assert.isAbove(changesCount, 0)
        assert.isAtLeast((yield* on(watched, valueOf("lithair_leader_changes_total")))!, before! + changesCount)
        isSaid(logged, /^Info (This node|n\d) leads term \d+/, "leads term")
        isSaid(logged, /^Warn n\d led term \d+: no leader is known now/, "no leader is known now")
      })
    )
  )

  it.effect("do opaque keys run out? Their number nears its limit, a line says so, and clients are refused", () =>
    withCluster((logged) =>
      Effect.gen(function* () {
        const { advance, crash, leader, nodes, on, settle } = yield* TestCluster
        const keyed = (at: number) => create(`k${at}`, { "idempotency-key": `key-${at}` })
        yield* on(yield* leader, create("a"))
        yield* settle
        // A log with other limits, as a release may write them. Its next leader decides by them.
        for (const node of nodes)
          yield* on(
            node,
            Member.use(({ tables }) => Effect.sync(() => tighten(tables)))
          )
        const former = yield* leader
        yield* crash(former)
        yield* advance("3 seconds")
        const first = yield* leader
        const opaque = { kind: "opaque" }
        assert.strictEqual(yield* on(first, valueOf("lithair_keys_limit", opaque)), 100)
        const statuses: Array<number> = []
        for (let at = 0; at < 100; at++) statuses.push(yield* on(first, keyed(at)))
        yield* advance("2 seconds")
        const held = (yield* on(first, valueOf("lithair_keys", opaque)))!
        // One holder has no more than thrice what it leaves free (decision 25).
        assert.strictEqual(held, 75)
        assert.strictEqual(statuses.filter((status) => status === 429).length, 25)
        assert.strictEqual(yield* on(first, valueOf("lithair_refused_total", { reason: "key-quota" })), 25)
        // Other holders take the rest.
        yield* on(
          first,
          Member.use(({ tables }) => Effect.sync(() => tighten(tables, 90)))
        )
        yield* advance("2 seconds")
        isSaid(
          logged,
          /^Warn 75 of 90 opaque idempotency keys are in use \(83 %\)/,
          "opaque idempotency keys are in use"
        )
      })
    )
  )

  it.effect("why are clients refused? The kind of the problem says it", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const { on, partition } = yield* TestCluster
        const { first } = yield* leaderAndOthers
        yield* partition([first])
        assert.strictEqual(yield* on(first, Effect.andThen(Effect.sleep("3 seconds"), create("a"))), 503)
        const refused = (yield* on(first, metrics)).get("lithair_refused_total")!
        assert.deepStrictEqual(
          refused.series.map(({ labels, value }) => [labels.reason, value]),
          [["no-quorum", 1]]
        )
      })
    )
  )
})

/** Replaces the limits of a log's state, for one node. */
const tighten = (tables: Tables, opaqueKeysMax = 100): void => {
  Object.assign(tables, { limits: { ...tables.limits, opaqueKeysMax } })
}

const brew = Command.make("brew", { payload: Schema.Struct({}), success: Schema.Void })

/** Keeps the thread for 60 ms. */
const burn = Effect.sync(() => {
  const endMs = performance.now() + 60
  while (performance.now() < endMs);
})

/** One node in real time, asked over its port. */
const served = (directory: string, port: number) =>
  Lithair.layerHttp({ models: [Product], commands: [brew] }).pipe(
    Layer.provide([Command.layer(brew, () => burn), Lithair.layerTest, layer({ port, directory })])
  )

const text = (url: string) => Effect.promise(async () => (await fetch(url)).text())
const post = (url: string, body: unknown) =>
  Effect.promise(
    async () =>
      (
        await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
      ).status
  )

describe("an operator of a real node asks", () => {
  const withNode = <A, E>(use: (url: string) => Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "lithair-questions-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
      const port = yield* freePort
      const url = `http://127.0.0.1:${port}`
      return yield* Effect.provide(use(url), served(directory, port))
    })

  it.live("which command keeps the thread? Its decisions take long, those of others do not, and the loop is late", () =>
    withNode((url) =>
      Effect.gen(function* () {
        yield* post(`${url}/api/products`, { name: "a" })
        const quick = Effect.forEach(["b", "c", "d"], (name) => post(`${url}/api/products`, { name }))
        const hot = Effect.forEach([1, 2, 3, 4, 5], () => post(`${url}/api/_commands/brew`, {}))
        yield* Effect.all([hot, quick], { concurrency: "unbounded" })
        const scraped = readMetrics(yield* text(`${url}/metrics`))
        const mean = (name: string, labels: Record<string, string>) =>
          valueIn(scraped, `${name}_sum`, labels)! / valueIn(scraped, `${name}_count`, labels)!
        const decided = "lithair_decide_duration_seconds"
        assert.isAtLeast(mean(decided, { command: "brew" }), 0.06)
        assert.isBelow(mean(decided, { command: "Create Product" }), 0.03)
        assert.isAtLeast(mean("lithair_command_duration_seconds", { command: "brew", outcome: "accepted" }), 0.06)
        const late = scraped
          .get("lithair_event_loop_delay_seconds")!
          .series.find(({ labels }) => labels.le === "0.025")!.value
        assert.isBelow(late, valueIn(scraped, "lithair_event_loop_delay_seconds_count")!)
      })
    )
  )

  it.live("do memory and disk run out? What is held, what is free and what may be held stand side by side", () =>
    withNode((url) =>
      Effect.gen(function* () {
        // What earlier tests have left behind must not be collected in between.
        freeMemory()
        const first = readMetrics(yield* text(`${url}/metrics`))
        const free = valueIn(first, "lithair_disk_free_bytes")!
        // A log begins with a segment of 64 MiB or so, which is filled with zeros.
        assert.isAbove(valueIn(first, "lithair_disk_used_bytes")!, 1_000_000)
        assert.isAbove(free, 0)
        const held = Array.from({ length: 500_000 }, (_, at) => ({ at: `${at}` }))
        const then = readMetrics(yield* text(`${url}/metrics`))
        const grownBytes = (name: string) => valueIn(then, name)! - valueIn(first, name)!
        // Bun counts its heap when it collects garbage.
        const name = "bun" in process.versions ? "lithair_resident_bytes" : "lithair_heap_used_bytes"
        assert.isAbove(grownBytes(name), 10_000_000, `${held.length} objects are held`)
        yield* post(`${url}/api/products`, { name: "a" })
        const last = readMetrics(yield* text(`${url}/metrics`))
        assert.strictEqual(valueIn(last, "lithair_records", { model: "Product" }), 1)
      })
    )
  )
})

describe("docs/operating.md", () => {
  it.effect("names no metric that a node does not have", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const sources = ["Metrics.ts", "ConsensusMetrics.ts"].map((name) =>
          readFileSync(new URL(`../../src/Http/${name}`, import.meta.url), "utf8")
        )
        const named = [...page.matchAll(/`((?:lithair|http_server)_[a-z_]+)/g)].map(([, name = ""]) => name)
        assert.isAbove(named.length, 20)
        for (const name of named)
          assert.isTrue(
            sources.some((source) => source.includes(`"${name}"`)),
            name
          )
      })
    )
  )
})

/**
 * What operators see of real processes: the lines of their logs, and the metrics that name a slow disk and a process that
 * hangs. test/Lithair/questions.test.ts has all questions, in virtual time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Family, valueIn } from "../Http/PrometheusText.ts"
import { eventually, expectThat, leaderOf, metricsOf, startCluster, type TestNode } from "./Processes.ts"

const slowDisk = new URL("./slowDisk.mjs", import.meta.url).href

const says = (node: TestNode, line: RegExp) =>
  eventually(
    () => `${node.id} says ${line}; it said ${node.output()}`,
    Effect.suspend(() => expectThat(line.test(node.output()), "it is said")),
    20_000
  )

const create = (node: TestNode, name: string) =>
  Effect.flatMap(node.request("POST", "/api/products", { body: { name, price: "1" } }), ({ status }) =>
    expectThat(status === 201, `it was answered ${status}`)
  )

describe("an operator sees", () => {
  it.live(
    "who listens, who is connected, who leads, whose disk is slow, who hangs, and who stops",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], () =>
          Effect.succeed({ NODE_OPTIONS: `--import=${slowDisk}` })
        )
        const leader = yield* leaderOf(nodes)
        const [slow, hung] = nodes.filter((node) => node !== leader) as [TestNode, TestNode]
        for (const node of nodes) {
          yield* says(node, /listens at http:\/\/127\.0\.0\.1:\d+ \(Lithair \d+\.\d+\.\d+\): it is open, and answers/)
          for (const other of nodes) if (other !== node) yield* says(node, new RegExp(`Connected to ${other.id}`))
          yield* says(node, new RegExp(`${node === leader ? "This node" : leader.id} leads term \\d+`))
        }

        yield* slow.signal("SIGUSR2")
        yield* says(slow, /the disk is slow from now on/)
        yield* Effect.forEach(["a", "b", "c"], (name) => create(leader, name))
        yield* says(slow, /A sync of the log took (?:[3-9]\d\d|\d{4,}) ms/)
        const slowSyncs = (scraped: ReadonlyMap<string, Family>) =>
          valueIn(scraped, "lithair_log_sync_duration_seconds_count")! -
          valueIn(scraped, "lithair_log_sync_duration_seconds_bucket", { le: "0.25" })!
        yield* eventually(
          "the metric of the slow node tells it",
          Effect.flatMap(metricsOf(slow), (scraped) => expectThat(slowSyncs(scraped) > 0, "its syncs are slow"))
        )

        yield* hung.signal("SIGSTOP")
        yield* says(leader, new RegExp(`Lost the connection to ${hung.id}: The peer is silent`))
        const scraped = yield* metricsOf(leader)
        const of = (name: string, member: TestNode) => valueIn(scraped, name, { member: member.id })!
        assert.isAbove(of("lithair_peer_rtt_seconds", hung), 2)
        assert.isBelow(of("lithair_peer_rtt_seconds", slow), 1)
        assert.isAbove(of("lithair_raft_member_silent_seconds", hung), 2)
        assert.isAbove(valueIn(scraped, "lithair_disk_free_bytes")!, 0)
        assert.isAbove(valueIn(scraped, "lithair_disk_used_bytes")!, 1_000_000)
        yield* hung.signal("SIGCONT")
        yield* says(leader, new RegExp(`Lost the connection to ${hung.id}[\\s\\S]*Connected to ${hung.id}`))

        assert.strictEqual(yield* leader.stop("SIGTERM"), 0)
        yield* says(leader, /This node stops: it ends the requests under way/)
        yield* says(leader, /This node has no more requests under way, and ends/)
        yield* says(slow, new RegExp(`Lost the connection to ${leader.id}`))
      }).pipe(Effect.scoped),
    120_000
  )
})

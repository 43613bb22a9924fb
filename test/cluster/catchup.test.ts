/** A node that lacks what no log holds any more is brought up by a snapshot, while clients write (§7, C13). */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { underLoad, verify } from "./Load.ts"
import { eventually, expectThat, joinCluster, startCluster, type TestNode } from "./Processes.ts"

const retainEntries = { LITHAIR_RETAIN_ENTRIES: "50" }

/** The first segment of a log: it goes once a snapshot stands for all that it holds. */
const holdsFirstSegment = ({ data }: TestNode) => readdirSync(`${data}/log`).includes("000000000001.log")

/** Records of 200 kB: a segment of the log is full after 80 of them. */
const fill = (node: TestNode, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, at) => `${at} ${"A".repeat(200_000)}`),
    (name) => node.request("POST", "/api/products", { body: { name, price: "1" } }),
    { concurrency: 4, discard: true }
  )

describe("catching up", () => {
  it.live(
    "a node that joins after the log was compacted gets a snapshot, and then the log, under load; all nodes hold the same",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], () => Effect.succeed(retainEntries))
        const [first] = nodes as [TestNode]
        yield* fill(first, 200)
        yield* eventually(
          "history below a snapshot is let go of",
          Effect.suspend(() => expectThat(!nodes.some(holdsFirstSegment), "the first segment is gone"))
        )
        const { result: joined, written } = yield* underLoad({ nodes, clients: 4, prefix: "load" }, () =>
          joinCluster(first, "node", retainEntries)
        )
        assert.match(joined.output(), /Restored the snapshot of the leader: all entries through \d+/)
        assert.isAbove(written.acknowledged.size, 0)
        yield* verify([...nodes, joined], written)
        yield* joined.stop("SIGKILL")
        yield* joined.start
        yield* verify([...nodes, joined], written)
      }).pipe(Effect.scoped),
    120_000
  )
})

/**
 * A node that lacks entries which no log still holds catches up by a snapshot, under any load (§7, C13). The others have
 * them in their history.
 */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Profile } from "../../src/Testing/simulator/Profile.ts"
import { allAdvance, moreAnswers, underLoad, verify } from "./Load.ts"
import { allReady, eventually, expectThat, joinCluster, startCluster, type TestNode } from "./Processes.ts"

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
    "a node that joins after the log was compacted gets a snapshot, and one that was killed the log, whatever clients do",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], () => Effect.succeed(retainEntries))
        const [first] = nodes as [TestNode]
        const kept = yield* first.request("POST", "/api/products", { body: { name: "Kept", price: "1" } })
        const path = `/api/products/${kept.body.id}`
        yield* first.request("PATCH", path, { body: { price: "2" } })
        yield* fill(first, 200)
        yield* eventually(
          "history below a snapshot is let go of",
          Effect.suspend(() => expectThat(!nodes.some(holdsFirstSegment), "the first segment is gone")),
          60_000
        )
        const tells = Effect.fnUntraced(function* (node: TestNode) {
          assert.isAbove(readdirSync(`${node.data}/history`).length, 0)
          const { body } = yield* node.request("GET", `${path}/history`)
          const prices = body.items.map((item: { readonly data: { readonly price: string } }) => item.data.price)
          assert.deepStrictEqual([prices, body.complete], [["1.00", "2.00"], true])
          const first = yield* node.request("GET", `${path}?at=1`)
          assert.strictEqual(first.body.price, "1.00")
        })
        yield* Effect.forEach(nodes, tells)
        let profile: Profile = "read-only"
        const options = { nodes, clients: 4, prefix: "load", profile: () => profile }
        const { result: joined, written } = yield* underLoad(options, (written) =>
          Effect.gen(function* () {
            const joining = yield* joinCluster(first, "node", retainEntries)
            assert.match(joining.output(), /Restored the snapshot of the leader: all entries through \d+/)
            yield* allAdvance([...nodes, joining])
            yield* eventually(
              "it has fetched the history before the snapshot from the others",
              Effect.flatMap(joining.request("GET", `${path}/history`), ({ body }) =>
                expectThat(body.complete === true, "its history is complete")
              ),
              60_000
            )
            yield* tells(joining)
            for (const next of ["mixed", "write-only"] as const) {
              profile = next
              yield* joining.stop("SIGKILL")
              yield* moreAnswers(written, 20)
              yield* joining.start
              yield* allReady([joining])
              yield* allAdvance([...nodes, joining])
            }
            return joining
          })
        )
        yield* verify([...nodes, joined], written)
        yield* first.stop("SIGKILL")
        yield* first.start
        yield* allReady([first])
        yield* tells(first)
      }).pipe(Effect.scoped),
    180_000
  )
})

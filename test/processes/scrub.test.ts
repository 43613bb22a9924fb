/** A bit that rots in the history of a running node stops that node, by name of the place; the others go on. */
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, expectThat, startCluster, type TestNode } from "./Processes.ts"

describe("damage in old history", () => {
  it.live(
    "is found while the node runs: it stops with the file, the offset and the entry, and the others go on (docs/raft.md, Disk)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const [first, second] = nodes as [TestNode, TestNode]
        const post = (name: string) =>
          Effect.flatMap(second.request("POST", "/api/products", { body: { name, price: "1" } }), ({ status }) =>
            expectThat(status === 201, `it was answered ${status}`)
          )
        yield* Effect.forEach(Array.from({ length: 45 }), () => post("A".repeat(400_000)), { concurrency: 2 })
        // 4 MiB below a snapshot stay in the log, and so does this segment.
        yield* eventually(
          "a segment is sealed",
          Effect.suspend(() =>
            expectThat(readdirSync(`${first.data}/log`).includes("000000000002.log"), "another follows")
          )
        )
        const file = openSync(`${first.data}/log/000000000001.log`, "r+")
        const byte = new Uint8Array(1)
        readSync(file, byte, 0, 1, 1_000_000)
        byte[0]! ^= 1
        writeSync(file, byte, 0, 1, 1_000_000)
        closeSync(file)
        yield* eventually(
          "the node stops",
          Effect.suspend(() => expectThat(!first.isRunning(), "it has ended")),
          40_000
        )
        assert.strictEqual(yield* first.stop("SIGTERM"), 1)
        assert.match(first.output(), /"000000000001\.log" at offset \d+, entry \d+: payload checksum differs/)
        yield* eventually("the others go on", post("after"))
      }).pipe(Effect.scoped),
    90_000
  )
})

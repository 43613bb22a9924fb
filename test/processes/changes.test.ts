/** Followers of changes against real processes: each change once and in order while leaders die, and clients that never read. docs/http.md, "Changes". */
import { execFileSync } from "node:child_process"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Product } from "../../examples/models.ts"
import * as Client from "../../src/Client.ts"
import type * as Repository from "../../src/Repository.ts"
import { allReady, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"

const changesCount = 10_000
/** The follower goes to another node after so many changes, if none fails before. */
const movesEvery = 600

/** Of all nodes, beginning with the one at this place. */
const productsOf = (nodes: ReadonlyArray<TestNode>, at = 0) => {
  const from = at % nodes.length
  const [first, ...others] = [...nodes.slice(from), ...nodes.slice(0, from)].map(({ url }) => url)
  return Client.make({ nodes: [first!, ...others], timeoutMs: 60_000 }).pipe(
    Effect.map(({ records }) => records(Product)),
    Effect.provide(FetchHttpClient.layer)
  )
}

type Told = Repository.RecordTold<typeof Product>

const isChange = (told: Repository.Told<typeof Product>): told is Told => told.type !== "bookmark"

/** Whether a position comes before another one of the same log. */
const isBefore = (left: string, right: string): boolean => {
  const [index = 0, ordinal = 0] = left.split(".").map(Number)
  const [otherIndex = 0, otherOrdinal = 0] = right.split(".").map(Number)
  return index < otherIndex || (index === otherIndex && ordinal < otherOrdinal)
}

/** The next changes after a position, asked at the node at this place first. */
const take = (nodes: ReadonlyArray<TestNode>, at: number, after: string, count: number) =>
  Effect.flatMap(productsOf(nodes, at), (products) =>
    Stream.runCollect(Stream.take(Stream.filter(products.changes({ after }), isChange), count))
  )

/** Kills the leader, and starts it again once the others have another one. */
const killLeader = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>) {
  const leader = yield* leaderOf(nodes)
  yield* leader.stop("SIGKILL")
  yield* leaderOf(nodes.filter((node) => node !== leader))
  yield* leader.start
  yield* allReady(nodes)
})

const residentBytes = ({ pid }: TestNode): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid())], { encoding: "utf8" })) * 1024

describe("followers of changes", () => {
  it.live(
    "see 10,000 changes once each, in order, while they move between nodes whose leaders are killed (issue 12)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const products = yield* productsOf(nodes)
        const created: Array<string> = []
        const write = Effect.gen(function* () {
          for (let size = 1; created.length < changesCount; size = (size % 40) + 1) {
            const rows = Array.from({ length: Math.min(size, changesCount - created.length) }, (_, at) => ({
              name: `Nail ${created.length + at}`,
              price: "1.00"
            }))
            const made = yield* products.createAll(rows)
            created.push(...made.map(({ row }) => row.id))
          }
        })
        const writing = yield* Effect.forkChild(write)
        const killing = yield* Effect.gen(function* () {
          let killedCount = 0
          while (created.length < changesCount) {
            yield* killLeader(nodes)
            killedCount += 1
          }
          return killedCount
        }).pipe(Effect.forkChild)

        const seen: Array<Told> = []
        for (let move = 0; seen.length < changesCount; move++) {
          const count = Math.min(movesEvery, changesCount - seen.length)
          seen.push(...(yield* take(nodes, move, seen.at(-1)?.position ?? "0", count)))
        }
        yield* Fiber.join(writing)
        const killedCount = yield* Fiber.join(killing)
        assert.isAtLeast(killedCount, 2)
        // A client's change is done once and in its turn, so the log has the records as they were asked for.
        assert.deepStrictEqual(
          seen.map(({ id }) => id as string),
          created
        )
        for (const [at, { position }] of seen.entries()) {
          assert.isTrue(at === 0 || isBefore(seen[at - 1]!.position, position), position)
        }
        // And every node tells the same, of itself.
        const positions = seen.map(({ position }) => position)
        for (const node of nodes) {
          const told = yield* take([node], 0, "0", changesCount)
          assert.deepStrictEqual(
            told.map(({ position }) => position),
            positions
          )
        }
      }).pipe(Effect.scoped),
    { timeout: 180_000 }
  )

  it.live(
    "that never read cost their node no memory, and its clients no time",
    () =>
      Effect.gen(function* () {
        const [node] = (yield* startCluster(["node"])) as [TestNode]
        const products = yield* productsOf([node])
        const rows = Array.from({ length: 100 }, (_, at) => ({ name: "n".repeat(8_000) + at, price: "1.00" }))
        // 40 MB: two nodes' worth of memory if each reader held what it has not read.
        for (let count = 0; count < 50; count++) yield* products.createAll(rows)
        const beforeBytes = residentBytes(node)
        const readers = Array.from({ length: 60 }, () => {
          const socket = connect(node.port, "127.0.0.1", () => {
            socket.write("GET /api/products/changes?after=0 HTTP/1.1\r\nhost: localhost\r\n\r\n")
          })
          socket.on("error", () => {})
          return socket.pause()
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => readers.forEach((socket) => void socket.destroy())))
        yield* eventually(
          "the node streams to all",
          Effect.flatMap(node.request("GET", "/livez"), () =>
            expectThat(
              readers.every(({ readable }) => readable),
              "each is connected"
            )
          )
        )
        const beganMs = performance.now()
        for (let count = 0; count < 200; count++) yield* products.create({ name: `Nail ${count}`, price: "1.00" })
        assert.isBelow(performance.now() - beganMs, 20_000)
        const grownBytes = residentBytes(node) - beforeBytes
        assert.isBelow(grownBytes, 250_000_000, `${node.output()}`)
        assert.isTrue(node.isRunning())
        // One that reads gets all of it.
        const told = yield* take([node], 0, "0", 5_200)
        assert.strictEqual(told.length, 5_200)
      }).pipe(Effect.scoped),
    { timeout: 120_000 }
  )

  it.live(
    "hear that their node stops, and do not hold it up",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const [first] = nodes as [TestNode, ...ReadonlyArray<TestNode>]
        const text = yield* Effect.forkChild(
          Effect.promise(async () => (await fetch(`${first.url}/api/products/changes`)).text())
        )
        yield* eventually(
          "the node counts the stream",
          Effect.flatMap(
            Effect.promise(async () => (await fetch(`${first.url}/metrics`)).text()),
            (metrics) => expectThat(metrics.includes("lithair_event_streams 1\n"), "a stream is open")
          )
        )
        const beganMs = performance.now()
        assert.strictEqual(yield* first.stop("SIGTERM"), 0)
        assert.isBelow(performance.now() - beganMs, 8_000)
        const told = (yield* Fiber.join(text)).split("\n\n").filter((each) => each !== "")
        assert.include(told.at(-1), "event: end")
        assert.include(told.at(-1), "urn:lithair:problem:draining")
        assert.include(told.at(-2), "event: bookmark")
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})

/** Real nodes that are started at other addresses with their data directories. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  allReady,
  clusterOf,
  eventually,
  exampleScript,
  expectThat,
  freePort,
  listAll,
  makeNode,
  startCluster,
  type TestNode
} from "./Processes.ts"

/** The addresses of the members, by id, as this node knows them. */
const addressesOf = (node: TestNode) =>
  Effect.map(clusterOf(node), ({ nodes }) =>
    Object.fromEntries(nodes.map(({ address, id }: { address: string; id: string }) => [id, address]))
  )

const knows = (node: TestNode, addresses: Record<string, string>) =>
  eventually(
    () => `${node.id} knows where its peers are; it said ${node.output()}`,
    Effect.flatMap(addressesOf(node), (found) =>
      expectThat(
        JSON.stringify(Object.entries(found).toSorted()) === JSON.stringify(Object.entries(addresses).toSorted()),
        "it does"
      )
    ),
    30_000
  )

describe("nodes that move", () => {
  it.live(
    "all at once find each other by their flags, keep their ids, and then by the log alone; one alone is found by its hello",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const created = yield* nodes[0]!.request("POST", "/api/products", { body: { name: "Anvil", price: "1.00" } })
        assert.strictEqual(created.status, 201)
        yield* Effect.forEach(nodes, (node) => node.stop("SIGTERM"), { concurrency: "unbounded" })

        const ports = yield* Effect.forEach(nodes, () => freePort)
        const peers = nodes.map(({ id }, at) => `${id}=127.0.0.1:${ports[at]}`)
        const startAt = (at: number, port: number, flags: ReadonlyArray<string>) =>
          Effect.tap(
            makeNode("node", port, { flags, data: nodes[at]!.data, environment: {}, script: exampleScript }),
            (node) => node.start
          )
        const moved = yield* Effect.forEach(ports, (port, at) =>
          startAt(at, port, ["--peers", peers.filter((_, each) => each !== at).join(",")])
        )
        yield* allReady(moved)
        const addresses = Object.fromEntries(nodes.map(({ id }, at) => [id, `127.0.0.1:${ports[at]}`]))
        for (const node of moved) yield* knows(node, addresses)
        assert.strictEqual((yield* listAll(moved[1]!, "products")).length, 1)

        yield* Effect.forEach(moved, (node) => node.stop("SIGTERM"), { concurrency: "unbounded" })
        const again = yield* Effect.forEach(ports, (port, at) => startAt(at, port, []))
        yield* allReady(again)

        // One alone, and nobody is told.
        yield* again[2]!.stop("SIGKILL")
        const port = yield* freePort
        const away = yield* startAt(2, port, [])
        yield* allReady([away])
        const now = { ...addresses, [nodes[2]!.id]: `127.0.0.1:${port}` }
        for (const node of [again[0]!, again[1]!, away]) yield* knows(node, now)
      }).pipe(Effect.scoped),
    120_000
  )
})

/** Real nodes that are started at other addresses with their data directories, or with copies of them. */
import { cpSync } from "node:fs"
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

const said = (nodes: ReadonlyArray<TestNode>, line: string) =>
  eventually(
    () => `somebody says "${line}"; they said ${nodes.map((node) => node.output()).join("\n\n")}`,
    Effect.suspend(() =>
      expectThat(
        nodes.some((node) => node.output().includes(line)),
        "somebody does"
      )
    ),
    30_000
  )

/** It ends by itself with the exit code that says not to start it again, and says why. */
const endsAsCopy = Effect.fnUntraced(function* (node: TestNode) {
  yield* eventually(
    () => `${node.id} ends; it said ${node.output()}`,
    Effect.suspend(() => expectThat(!node.isRunning(), "it has ended")),
    30_000
  )
  assert.strictEqual(yield* node.stop("SIGKILL"), 78, node.output())
  assert.include(node.output(), "It is a copy, or an older state of the disk")
})

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

  it.live(
    "are told from copies: an older copy stops though its original is silent, and so does the original of a copy that took its place (C27)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        // The smaller id dials, and so does its copy.
        const [original, ...others] = nodes.toSorted((one, other) => (one.id < other.id ? -1 : 1)) as [
          TestNode,
          TestNode,
          TestNode
        ]
        const startFrom = Effect.fnUntraced(function* (data: string) {
          const options = { flags: [], data, environment: {}, script: exampleScript }
          return yield* Effect.tap(makeNode("node", yield* freePort, options), (node) => node.start)
        })
        const startOf = (life: number) => said(nodes, `${original.id} runs with start ${life} of its data directory`)
        const write = (node: TestNode) =>
          Effect.map(node.request("POST", "/api/products", { body: { name: "Anvil", price: "1.00" } }), ({ status }) =>
            assert.strictEqual(status, 201)
          )

        // The first write states the format of the log, which may hold starts from then on.
        yield* write(others[0])
        yield* startOf(1)
        yield* original.stop("SIGTERM")
        const before = `${original.data}-before`
        cpSync(original.data, before, { recursive: true })
        yield* original.start
        yield* startOf(2)
        yield* write(others[0])
        // The others lose it, and nobody answers for it any more.
        yield* original.signal("SIGSTOP")
        const older = yield* startFrom(before)
        yield* endsAsCopy(older)
        yield* original.signal("SIGCONT")
        yield* allReady(nodes)

        // A copy from after its last start takes its place, as a directory that was moved.
        yield* original.stop("SIGTERM")
        const after = `${original.data}-after`
        cpSync(original.data, after, { recursive: true })
        const moved = yield* startFrom(after)
        yield* allReady([moved])
        yield* startOf(3)
        yield* original.start
        yield* endsAsCopy(original)
        yield* allReady([moved, ...others])
        yield* write(moved)
      }).pipe(Effect.scoped),
    120_000
  )
})

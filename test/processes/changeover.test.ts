/** A cluster of real processes without TLS begins to speak it while clients write. docs/deploying.md. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFiles } from "../Raft/peers/TlsNode.ts"
import { allAdvance, moreWrites, underLoad, verify } from "./Load.ts"
import {
  allReady,
  clusterOf,
  eventually,
  exampleScript,
  expectThat,
  freePort,
  leaderOf,
  makeNode
} from "./Processes.ts"
import { makeTlsCluster, secret } from "./Tls.ts"

const ids = ["a", "b", "c"]

describe("a cluster without TLS", () => {
  it.live(
    "begins with it in two rolling restarts under load: nothing is lost, and then nobody is let in without",
    () =>
      Effect.gen(function* () {
        const { authority, root } = yield* makeTlsCluster
        const ports = yield* Effect.forEach(ids, () => freePort)
        const peerPorts = yield* Effect.forEach(ids, () => freePort)
        const peersOf = (at: number, of: ReadonlyArray<number>) => [
          "--peers",
          ids.flatMap((id, each) => (each === at ? [] : [`${id}=127.0.0.1:${of[each]}`])).join(",")
        ]
        const tlsOf = (at: number) => {
          const folder = join(root, ids[at]!)
          mkdirSync(folder, { recursive: true })
          const { caFile, certFile, keyFile } = writeFiles(folder, "node", authority.issueFor(ids[at]!), [authority])
          return [
            ...["--peer-listen", String(peerPorts[at]), "--peer-cert-file", certFile],
            ...["--peer-key-file", keyFile, "--peer-ca-file", caFile, ...peersOf(at, peerPorts)]
          ]
        }
        const makeAt = (at: number, flags: ReadonlyArray<string>) =>
          Effect.map(
            makeNode("node", ports[at]!, {
              flags: ["--id", ids[at]!, ...flags],
              data: join(root, `${ids[at]}-data`),
              environment: { LITHAIR_SECRET: secret },
              script: exampleScript
            }),
            (node) => ({ ...node, id: ids[at]! })
          )
        const nodes = yield* Effect.forEach(ids, (_, at) => makeAt(at, peersOf(at, ports)))
        yield* Effect.forEach(nodes, (node) => node.start)
        yield* allReady(nodes)
        const before = yield* clusterOf(yield* leaderOf(nodes))

        const rounds: ReadonlyArray<(at: number) => ReadonlyArray<string>> = [
          (at) => [...tlsOf(at), "--peer-also-plain"],
          tlsOf
        ]
        const { written } = yield* underLoad({ nodes: [...nodes], clients: 8, prefix: "changeover" }, (written) =>
          Effect.gen(function* () {
            for (const flagsOf of rounds) {
              for (const at of ids.keys()) {
                assert.strictEqual(yield* nodes[at]!.stop("SIGTERM"), 0)
                nodes[at] = yield* makeAt(at, flagsOf(at))
                yield* nodes[at]!.start
                yield* allReady([nodes[at]!])
                yield* allAdvance(nodes)
                yield* moreWrites(written, 50)
              }
            }
          })
        )
        const { term } = yield* clusterOf(yield* leaderOf(nodes))
        assert.isAtMost(term - before.term, rounds.length * nodes.length)
        yield* verify(nodes, written)

        const addresses = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${peerPorts[at]}`]))
        for (const node of nodes) {
          yield* eventually(
            () => `${node.id} knows all by their new addresses; it said ${node.output()}`,
            Effect.flatMap(clusterOf(node), ({ nodes }) =>
              expectThat(
                nodes.every(({ address, id }: { address: string; id: string }) => addresses[id] === address),
                "it does"
              )
            )
          )
          assert.strictEqual((yield* node.request("GET", "/_raft")).status, 404)
        }
        const late = yield* makeNode("node", yield* freePort, {
          flags: ["--id", "late", "--join", addresses.a!],
          data: join(root, "late"),
          environment: { LITHAIR_SECRET: secret },
          script: exampleScript
        })
        yield* late.start
        yield* eventually(
          () => `a node without TLS is not let in; it said ${late.output()}`,
          Effect.suspend(() => expectThat(late.output().includes(`Waiting to join through ${addresses.a}`), "it waits"))
        )
        const { nodes: members } = yield* clusterOf(nodes[0]!)
        assert.deepStrictEqual(members.map(({ id }: { id: string }) => id).toSorted(), ids)
      }).pipe(Effect.scoped),
    150_000
  )
})

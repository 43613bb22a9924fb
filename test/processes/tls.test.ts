/** Real processes of every runtime whose peers speak under TLS: they form, a node joins, and the flags are checked. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { moreWrites, underLoad, verify } from "./Load.ts"
import { allReady, equalHash, freePort, leaderOf, runToEnd } from "./Processes.ts"
import { makeTlsCluster, makeTlsNode, startTlsCluster } from "./Tls.ts"

describe("a cluster under TLS", () => {
  it.live(
    "of Node, Bun and Deno takes writes, loses its leader, takes it back, and takes a node in",
    () =>
      Effect.gen(function* () {
        const cluster = yield* makeTlsCluster
        const nodes = yield* startTlsCluster(cluster, ["node", "bun", "deno"])
        const { written } = yield* underLoad({ nodes, clients: 4, prefix: "tls" }, (written) =>
          Effect.gen(function* () {
            yield* moreWrites(written, 50)
            const leader = yield* leaderOf(nodes)
            yield* leader.stop("SIGKILL")
            yield* moreWrites(written, 50)
            yield* leader.start
            yield* allReady(nodes)
            yield* moreWrites(written, 50)
          })
        )
        const joined = yield* makeTlsNode(cluster, { id: "d", flags: ["--join", nodes[1]!.peerAddress] })
        yield* joined.start
        yield* allReady([joined])
        yield* verify([...nodes, joined], written)
        yield* equalHash([...nodes, joined])
        // No peer, and no stranger, is served on the other port.
        const plain = yield* nodes[0]!.request("GET", "/_raft")
        assert.deepStrictEqual([plain.status, plain.body.type], [404, "urn:lithair:problem:not-found"])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "needs all of its settings, an address of its own, and files that fit: each is one line",
    () =>
      Effect.gen(function* () {
        const { authority, root } = yield* makeTlsCluster
        const [port, peerPort] = [String(yield* freePort), String(yield* freePort)]
        const other = yield* makeTlsNode({ authority, root }, { id: "other", flags: [] })
        const files = (id: string) => [
          ...["--peer-cert-file", `${root}/${id}/node.pem`, "--peer-key-file", `${root}/${id}/node.key`],
          ...["--peer-ca-file", `${root}/${id}/node.ca.pem`]
        ]
        const own = ["--port", port, "--data", `${root}/x`, "--peer-listen"]
        const bad = [
          {
            flags: [...own, peerPort],
            says: /TLS between peers needs --peer-cert-file, --peer-key-file, --peer-ca-file too/
          },
          {
            flags: [...own, peerPort, ...files("other")],
            says: /is for lithair:node:other, and this node is 127\.0\.0\.1:/
          },
          { flags: [...own, `0.0.0.0:${peerPort}`, ...files("other")], says: /--address: .*all interfaces/ },
          { flags: [...own, "nowhere", ...files("other")], says: /--address: / },
          {
            flags: [...own, port, "--id", "other", "--address", `127.0.0.1:${peerPort}`, ...files("other")],
            says: /EADDRINUSE/
          }
        ]
        for (const { flags, says } of bad) {
          const { code, stderr } = yield* runToEnd(flags)
          assert.strictEqual(code, 1, stderr)
          assert.match(stderr, says)
          assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
        }
        assert.isFalse(other.isRunning())
      }).pipe(Effect.scoped),
    60_000
  )
})

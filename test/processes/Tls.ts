/** Clusters of real nodes whose peers speak under TLS, with certificates that a test replaces while they run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { type Authority, makeAuthority } from "../Raft/peers/Authority.ts"
import { writeFiles } from "../Raft/peers/TlsNode.ts"
import { freePort } from "../support/freePort.ts"
import { allReady, exampleScript, makeNode, type Runtime, type TestNode } from "./Processes.ts"

export const secret = "0123456789abcdef0123456789abcdef"

/** A node under TLS. Its id names it for its peers; `peerAddress` is where they dial. */
export interface TlsTestNode extends TestNode {
  readonly peerAddress: string
  /** Replaces its certificate by one of `issuer`, and the authorities that it believes, and tells it to read them again. */
  readonly replace: (issuer: Authority, believed: ReadonlyArray<Authority>) => Effect.Effect<void>
}

/** What all nodes of a cluster share. */
export interface TlsCluster {
  readonly root: string
  readonly authority: Authority
}

export const makeTlsCluster = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-tls-cluster-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  ),
  (root): TlsCluster => ({ root, authority: makeAuthority() })
)

/** A node that is not started yet. */
export const makeTlsNode = Effect.fnUntraced(function* (
  { authority, root }: TlsCluster,
  options: {
    readonly id: string
    readonly runtime?: Runtime
    readonly port?: number
    readonly peerPort?: number
    readonly flags: ReadonlyArray<string>
    readonly environment?: Record<string, string>
  }
) {
  const { environment = { LITHAIR_SECRET: secret }, flags, id, runtime = "node" } = options
  const port = options.port ?? (yield* freePort)
  const peerPort = options.peerPort ?? (yield* freePort)
  const folder = join(root, id)
  mkdirSync(folder)
  const { caFile, certFile, keyFile } = writeFiles(folder, "node", authority.issueFor(id), [authority])
  const node = yield* makeNode(runtime, port, {
    flags: [
      ...["--id", id, "--peer-listen", String(peerPort)],
      ...["--peer-cert-file", certFile, "--peer-key-file", keyFile, "--peer-ca-file", caFile],
      ...flags
    ],
    data: join(folder, "data"),
    environment,
    script: exampleScript
  })
  const made: TlsTestNode = {
    ...node,
    id,
    peerAddress: `127.0.0.1:${peerPort}`,
    replace: (issuer, believed) =>
      Effect.suspend(() => {
        writeFiles(folder, "node", issuer.issueFor(id), believed)
        return node.signal("SIGHUP")
      })
  }
  return made
})

/** Starts a cluster whose nodes run on these runtimes, and waits until all are ready. */
export const startTlsCluster = Effect.fnUntraced(function* (
  cluster: TlsCluster,
  runtimes: ReadonlyArray<Runtime>,
  environment?: Record<string, string>
) {
  const ids = ["a", "b", "c", "d", "e"].slice(0, runtimes.length)
  const ports = yield* Effect.forEach(ids, () => freePort)
  const nodes = yield* Effect.forEach(ids, (id, at) =>
    makeTlsNode(cluster, {
      id,
      runtime: runtimes[at]!,
      peerPort: ports[at]!,
      flags: [
        "--peers",
        ids.flatMap((other, which) => (other === id ? [] : [`${other}=127.0.0.1:${ports[which]}`])).join(",")
      ],
      ...(environment === undefined ? {} : { environment })
    })
  )
  yield* Effect.forEach(nodes, (node) => node.start)
  yield* allReady(nodes)
  return nodes
})

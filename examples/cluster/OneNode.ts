/** One node of an example in this process, until it is told to stop or cannot go on. */
import { NodeHttpServer } from "@effect/platform-node"
import { Console, Effect } from "effect"
import type { RaftConfig } from "../../src/Raft/RaftConfig.ts"
import type { Example } from "./Example.ts"
import { makeServer } from "./HttpServer.ts"
import { BadFlag, type Peer } from "./Peers.ts"

export interface NodeFlags {
  readonly host: string
  readonly port: number
  readonly id: string | undefined
  readonly peers: ReadonlyArray<Peer>
  readonly data: string
  readonly secret: string | undefined
  readonly join: string | undefined
  readonly raft: Partial<RaftConfig>
}

/** Open streams and peers' sockets may not keep a node that was told to stop. */
const gracefulShutdownTimeout = "500 millis"
/** The largest message of a peer's socket; a stranger is not listened to for longer. */
const maxPayload = 16 * 1024 * 1024
/** A peer that hangs does not say goodbye, and the server ends only with its last socket: ws would wait for 30 s. */
const closeTimeout = 1_000
const websocket = { maxPayload, closeTimeout }

export const runNode = Effect.fnUntraced(function* (example: Example, flags: NodeFlags) {
  const { host, port } = flags
  const address = `${host}:${port}`
  const id = flags.id ?? address
  if (flags.peers.some((peer) => peer.address === address || peer.id === id)) {
    return yield* new BadFlag({ message: `--peers: ${address} is this node itself` })
  }
  if (flags.id !== undefined && flags.peers.some((peer) => peer.id === peer.address)) {
    return yield* new BadFlag({ message: "--id: the peers must have names too, as in --peers b=host:port" })
  }
  const place = {
    address,
    id,
    peers: flags.peers,
    directory: flags.data,
    raft: flags.raft,
    ...(flags.join === undefined ? {} : { join: flags.join }),
    ...(flags.secret === undefined ? {} : { secret: flags.secret })
  }
  const server = NodeHttpServer.layer(makeServer, { port, host, gracefulShutdownTimeout, websocket })
  yield* Console.log(`Lithair node ${id} starts at http://${address}`)
  return yield* example.launch(place, server)
})

/** Real transports over sockets of this host, each on a server of its own. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { type OwnStarts, untold } from "../../../src/EventStore/Start.ts"
import * as PeerListener from "../../../src/Raft/peers/PeerListener.ts"
import * as PeerSockets from "../../../src/Raft/peers/PeerSockets.ts"
import { type Membership, Transport } from "../../../src/Raft/peers/Transport.ts"

/** One node, until the scope closes. */
export const socketNode = Effect.fnUntraced(function* (options: {
  readonly id: string
  readonly peer?: { readonly id: string; readonly address: string }
  readonly membership?: Membership | undefined
  readonly secret?: string
  readonly starts?: OwnStarts | undefined
}) {
  const { id, peer, membership, secret, starts = untold } = options
  const server = yield* Layer.build(
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "100 millis" })
  )
  const address = HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address).replace("http://", "")
  const built = yield* HttpRouter.serve(PeerListener.layerPeers, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(
      PeerSockets.layer({
        self: { nodeId: id, address, instanceId: `i${id}`, starts, peers: peer === undefined ? [] : [peer] },
        ...(membership === undefined ? {} : { membership }),
        ...(secret === undefined ? {} : { secret })
      })
    ),
    Layer.build,
    Effect.provideContext(server)
  )
  return { port: Context.get(built, Transport), address }
})

/**
 * Answers the peers that dial this node. It is apart from the transport, so that an application can mount it on any
 * server.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { HttpRouter, HttpServer, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { NetAddress } from "effect/net"
import * as PeerRefusal from "./PeerRefusal.ts"

/** The path that peers dial, on the server of their node's address. */
export const path = "/_raft"

/** Answers the peers that dial. The transport provides it, and {@link layerPeers} mounts it. */
export class PeerListener extends Context.Service<
  PeerListener,
  {
    readonly accept: Effect.Effect<
      HttpServerResponse.HttpServerResponse,
      never,
      HttpServerRequest.HttpServerRequest | Scope.Scope
    >
    /** Why peers of other hosts are refused; undefined if they are not. */
    readonly onlyThisHost: string | undefined
  }
>()("lithair/Raft/PeerListener") {}

/** The listener of a transport that no peer dials. */
export const layerNobody: Layer.Layer<PeerListener> = Layer.succeed(PeerListener, {
  accept: Effect.succeed(PeerRefusal.notAPeer),
  onlyThisHost: undefined
})

/** Other hosts can reach this server, and any of them could pass for a peer, or listen to peers. */
export class Unprotected extends Schema.TaggedError<Unprotected>()("Unprotected", { message: Schema.String }) {}

/** The router matches loosely: other verbs, letters of another case, more slashes and encoded letters. */
const isExact = ({ method, originalUrl }: HttpServerRequest.HttpServerRequest): boolean =>
  method === "GET" && originalUrl.replace(/^[a-z]+:\/\/[^/]*/i, "") === path

const checkProtected = (
  { address }: HttpServer.HttpServer["Service"],
  onlyThisHost: string | undefined
): Effect.Effect<void, Unprotected> => {
  if (onlyThisHost === undefined || NetAddress.isUnixPathAddress(address) || NetAddress.isLoopback(address.address)) {
    return Effect.void
  }
  const host = NetAddress.formatIp(address.address)
  return Effect.fail(new Unprotected({ message: `Cannot listen to peers on ${host}: ${onlyThisHost}` }))
}

/** Mounts `/_raft` on the server that peers dial. It refuses a server that other hosts reach where only this host may. */
export const layerPeers: Layer.Layer<never, Unprotected, HttpRouter.HttpRouter | HttpServer.HttpServer | PeerListener> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { accept, onlyThisHost } = yield* PeerListener
      yield* checkProtected(yield* HttpServer.HttpServer, onlyThisHost)
      const router = yield* HttpRouter.HttpRouter
      yield* router.add("GET", path, (request) => (isExact(request) ? accept : Effect.succeed(PeerRefusal.notHere)))
    })
  )

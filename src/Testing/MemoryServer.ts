/** An HTTP server without a socket. Its own client calls an application's routes in this process. */
import { Deferred, Effect, Option, Scope, Stream } from "effect"
import {
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpEffect,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { NetAddress } from "effect/net"

type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** A server, and the client that asks it. A body that streams breaks off when `nodeScope` closes, as a socket does. */
export const makeMemoryServer = Effect.fnUntraced(function* (
  host: string,
  nodeScope: Scope.Scope
): Effect.fn.Return<{ readonly server: HttpServer.HttpServer["Service"]; readonly client: HttpClient.HttpClient }> {
  let app: App = Effect.succeed(HttpServerResponse.empty({ status: 503 }))
  const server = HttpServer.make({
    address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 1),
    serve: (served, middleware) =>
      Effect.sync(() => {
        app = (middleware === undefined ? served : middleware(served)) as App
      })
  })
  const closed = yield* Deferred.make<never, Error>()
  yield* Scope.addFinalizer(nodeScope, Deferred.fail(closed, new Error(`${host} closed the connection`)))
  const cuttable = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
    const { body } = response
    if (body._tag !== "Stream") return response
    const stream = Stream.interruptWhen(body.stream, Deferred.await(closed))
    return HttpServerResponse.setBody(response, HttpBody.stream(stream, body.contentType, body.contentLength))
  }
  const client = HttpClient.make((request) => {
    // A program in this process runs on the node's host, and may change the cluster.
    const serverRequest = HttpServerRequest.fromClientRequest(request).modify({
      remoteAddress: Option.some("127.0.0.1")
    })
    return Effect.suspend(() => {
      let sent = HttpServerResponse.empty({ status: 500 })
      // As a server does: cookies that handlers have set aside are added last, and a failure is answered.
      const handled = HttpEffect.toHandled(Effect.interruptible(app), (_, response) =>
        Effect.sync(() => {
          sent = cuttable(HttpEffect.scopeTransferToStream(response))
        })
      )
      return Effect.map(Effect.exit(handled), () => HttpServerResponse.toClientResponse(sent, { request }))
    }).pipe(Effect.provideService(HttpServerRequest.HttpServerRequest, serverRequest))
  }).pipe(HttpClient.mapRequest(HttpClientRequest.prependUrl(`http://${host}`)))
  return { server, client }
})

/**
 * Turns an HTTP request into a plain stream of bytes (RFC 9110 §7.8): on the node's own port, and through proxies that
 * pass an upgrade on. Node, Bun and Deno do this alike. PeerLink.ts says what travels on the stream.
 */
import * as http from "node:http"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, Scope } from "effect"
import type { HttpServerRequest } from "effect/http"
import { LinkClosed } from "./FrameStream.ts"
import type { PeerStream } from "./PeerStream.ts"

/** What the `Upgrade` header names. */
export const upgradeToken = "lithair-peer"

const accepted = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgradeToken}\r\n\r\n`

/** Small frames leave at once (RFC 9293 §3.7.4), and a link has deadlines of its own. */
const makeReady = (socket: Duplex): void => {
  // An error before somebody listens would end the process. Its reader learns of it, since the connection is closed.
  socket.on("error", () => {})
  if (!(socket instanceof Socket)) return
  socket.setNoDelay(true)
  socket.setTimeout(0)
}

/** A connection without TLS. */
export const plain = (stream: Duplex): PeerStream => ({
  stream,
  certified: undefined,
  untrusted: undefined,
  generation: 0
})

/** Whether the request asks to speak as a peer. A body would come between its head and the first frame. */
export const asksForUpgrade = ({ headers }: Pick<HttpServerRequest.HttpServerRequest, "headers">): boolean =>
  headers.upgrade?.toLowerCase() === upgradeToken &&
  /(^|,)\s*upgrade\s*(,|$)/i.test(headers.connection ?? "") &&
  (headers["content-length"] ?? "0") === "0" &&
  headers["transfer-encoding"] === undefined

/**
 * Answers 101 and gives the connection. Undefined if the server did not hand it over; `node:http` does. The dialer says
 * nothing before it has read the 101: bytes that came earlier are lost. The caller closes the connection before its
 * route ends, or the server would write an answer into it.
 */
export const acceptUpgrade = ({ source }: Pick<HttpServerRequest.HttpServerRequest, "source">): Duplex | undefined => {
  if (!(source instanceof http.IncomingMessage) || !(source.socket instanceof Socket)) return undefined
  // Bun takes an upgrade behind a request that is not answered yet for a plain request. The types lack this property.
  if (!("upgrade" in source) || source.upgrade !== true) return undefined
  const { socket } = source
  makeReady(socket)
  socket.write(accepted)
  return socket
}

/** Opens a connection to `url`, which the server must upgrade in time. The scope closes it. */
export const dialUpgrade = (url: string, timeoutMs: number): Effect.Effect<PeerStream, LinkClosed, Scope.Scope> =>
  Effect.gen(function* () {
    const asked = http.request(url, { headers: { connection: "Upgrade", upgrade: upgradeToken } })
    let stream: Duplex | undefined
    yield* Scope.addFinalizer(
      yield* Effect.scope,
      Effect.sync(() => {
        asked.destroy()
        stream?.destroy()
      })
    )
    return yield* Effect.callback<PeerStream, LinkClosed>((resume) => {
      const fail = (message: string, refused: boolean): void =>
        resume(Effect.fail(new LinkClosed({ message, refused })))
      // What answers there speaks no HTTP: a node whose peers speak under TLS.
      asked.on("error", ({ code = "", message }: NodeJS.ErrnoException) => fail(message, code.startsWith("HPE_")))
      asked.on("response", ({ statusCode = 0 }) => {
        // A node that starts, or that is busy, answers 503, and so does a proxy whose node is down.
        const isPassing = statusCode >= 500 || statusCode === 429
        const what = isPassing ? "" : ": no node of this release takes peers there"
        fail(`The peer answered ${statusCode} and did not upgrade${what}`, !isPassing)
      })
      asked.on("upgrade", (_response, socket, head) => {
        stream = socket
        makeReady(socket)
        socket.pause()
        if (head.length > 0) socket.unshift(head)
        resume(Effect.succeed(plain(socket)))
      })
      asked.end()
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeoutMs,
        orElse: () => Effect.fail(new LinkClosed({ message: "The connection took too long to open", refused: false }))
      })
    )
  })

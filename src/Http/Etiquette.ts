/**
 * Rules of HTTP for every exchange: one well-formed Host, no expectation but 100-continue, and a closed connection after
 * a body was refused unread. RFC 9110 §7.2, §10.1.1; RFC 9112 §3.2, §9.6.
 */
import { Effect, Stream } from "effect"
import { HttpBody, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { invalidRequest, type Problem, problem, unauthenticated } from "../Problem.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** How long a refused client may go on sending before it reads its answer. */
export const lingerMaxMs = 10_000
/** How long it may pause meanwhile. */
export const lingerIdleMs = 1_000
/** How much it may send meanwhile; the node reads and drops it. */
export const lingerMaxBytes = 256 * 1024 * 1024

/** The parts of a `node:http` request that this file uses. Requests of other platforms lack them. */
interface NodeSource {
  readonly on?: (event: "error", listener: () => void) => unknown
  readonly socket?: { readonly on?: NodeSource["on"]; readonly listeners?: (event: "error") => ReadonlyArray<unknown> }
  readonly rawHeaders?: ReadonlyArray<string>
  readonly httpVersion?: string
  readonly complete?: boolean
}

/** The head of a request, and its source if the platform has one. */
interface Received {
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly source: object
}

const sourceOf = ({ source }: Received): NodeSource => source

/**
 * Listens to the errors of a request and its connection, so that no error ends the process. The adapter stops listening
 * once it has read the body, and an application's own server may not listen at all.
 */
export const listenToErrors = (request: Request): void => {
  const { on, socket } = sourceOf(request)
  if (typeof on !== "function") return
  on.call(request.source, "error", ignored)
  if (typeof socket?.on === "function" && socket.listeners?.("error").includes(ignored) === false) {
    socket.on("error", ignored)
  }
}
const ignored = (): void => {}

/** The problem with the head of a request, if there is one. */
export const refusalOf = (request: Received): Problem | undefined =>
  hostRefusal(request) ?? credentialRefusal(request) ?? expectRefusal(request)

/** The runtime keeps the first of several credentials. Nobody knows which one was meant. */
const credentialRefusal = (request: Received): Problem | undefined => {
  const { rawHeaders } = sourceOf(request)
  if (request.headers.authorization === undefined || rawHeaders === undefined) return undefined
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 13 && rawHeaders[at]?.toLowerCase() === "authorization") count += 1
  }
  return count > 1 ? unauthenticated("The request has more than one Authorization header: send one") : undefined
}

/** An IP literal or a name, and a port (RFC 3986 §3.2.2). An http URI never has an empty host (RFC 9110 §4.2.1). */
const wellFormedHost =
  /^(?:\[(?:[0-9a-f:.]+|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+)(?::\d{0,5})?$/i

const hostRefusal = (request: Received): Problem | undefined => {
  const { httpVersion, rawHeaders } = sourceOf(request)
  if (httpVersion === undefined || rawHeaders === undefined || httpVersion.startsWith("2")) return undefined
  let host: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length !== 4 || rawHeaders[at]?.toLowerCase() !== "host") continue
    if (host !== undefined) return invalidRequest("The request has more than one Host header: send one")
    host = rawHeaders[at + 1]
  }
  if (host === undefined) {
    return httpVersion === "1.0" ? undefined : invalidRequest("The request has no Host header: send one")
  }
  return wellFormedHost.test(host)
    ? undefined
    : invalidRequest(
        "The Host header is malformed: send the host name or address, and the port if it is not the default"
      )
}

const expectRefusal = ({ headers, source }: Received): Problem | undefined => {
  const { expect } = headers
  if (expect === undefined || expect.toLowerCase() === "100-continue") return undefined
  if ((source as NodeSource).httpVersion === "1.0") return undefined
  return problem("expectation-failed", "Expect takes only 100-continue: leave other expectations out", {})
}

/** Whether the client is still sending the body. */
export const isUnread = (request: Received): boolean => {
  if (sourceOf(request).complete !== false) return false
  const { headers } = request
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0
}

/**
 * Sends a refusal that comes before the body was read at once, with `connection: close`. Then reads and drops for a
 * while what the client still sends: if the connection closed earlier, a client that sends all before it reads would
 * see a reset instead of the answer (RFC 9112 §9.6).
 */
export const closeIfUnread = (request: Request, response: Response): Response => {
  const { body } = response
  if (response.status < 400 || body._tag !== "Uint8Array" || !isUnread(request)) return response
  if (response.headers.connection !== undefined) return response
  const whole = Stream.concat(Stream.make(body.body), dropped(request))
  return HttpServerResponse.setBody(
    HttpServerResponse.setHeader(response, "connection", "close"),
    HttpBody.stream(whole, body.contentType, body.contentLength)
  )
}

/** Reads and drops what the client still sends, within bounds. */
const dropped = (request: Request): Stream.Stream<never> =>
  Stream.suspend(() => {
    let size = 0
    return request.stream.pipe(
      Stream.timeout(lingerIdleMs),
      Stream.takeWhile((part) => {
        size += part.length
        return size <= lingerMaxBytes
      }),
      Stream.interruptWhen(Effect.sleep(lingerMaxMs)),
      Stream.drain,
      Stream.catchCause(() => Stream.empty)
    )
  })

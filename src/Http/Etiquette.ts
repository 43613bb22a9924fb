/**
 * What HTTP itself asks of every exchange, whatever the request asks for: one well-formed Host, no expectation but
 * 100-continue, an end of the connection where a body was refused unread. RFC 9110 §7.2, §10.1.1; RFC 9112 §3.2, §9.6.
 */
import { Effect, Stream } from "effect"
import { HttpBody, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { invalidRequest, type Problem, problem } from "../Problem.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** How long a refused client may go on sending, so that it comes to read its answer. */
const lingerMaxMs = 10_000
/** How long it may send nothing meanwhile. */
const lingerIdleMs = 1_000
/** How much it may send: a bound on what is read for nothing. */
const lingerMaxBytes = 256 * 1024 * 1024

/** A request of `node:http`, as far as it is used here; a request of another platform has none of it. */
interface NodeSource {
  readonly on?: (event: "error", listener: () => void) => unknown
  readonly socket?: { readonly on?: NodeSource["on"]; readonly listeners?: (event: "error") => ReadonlyArray<unknown> }
  readonly rawHeaders?: ReadonlyArray<string>
  readonly httpVersion?: string
  readonly complete?: boolean
}

const sourceOf = (request: Request): NodeSource => request.source

/**
 * Listens to the errors of a request and its connection, so that none ends the process: the adapter stops listening once
 * the body was read, and a server that was made elsewhere may listen to none.
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

/** Why the head of a request is refused, whatever it asks for. */
export const refusalOf = (request: Request): Problem | undefined => hostRefusal(request) ?? expectRefusal(request)

/** An IP literal or a name, and a port (RFC 3986 §3.2.2). An http URI never has an empty host (RFC 9110 §4.2.1). */
const wellFormedHost =
  /^(?:\[(?:[0-9a-f:.]+|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+)(?::\d{0,5})?$/i

const hostRefusal = (request: Request): Problem | undefined => {
  const { httpVersion, rawHeaders } = sourceOf(request)
  if (httpVersion === undefined || rawHeaders === undefined || httpVersion.startsWith("2")) return undefined
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === "host")
  if (hosts.length > 1) return invalidRequest("The request has more than one Host header: send one")
  const [host] = hosts
  if (host === undefined) {
    return httpVersion === "1.0" ? undefined : invalidRequest("The request has no Host header: send one")
  }
  return wellFormedHost.test(host)
    ? undefined
    : invalidRequest(
        "The Host header is malformed: send the host name or address, and the port if it is not the default"
      )
}

const expectRefusal = ({ headers, source }: Request): Problem | undefined => {
  const { expect } = headers
  if (expect === undefined || expect.toLowerCase() === "100-continue") return undefined
  if ((source as NodeSource).httpVersion === "1.0") return undefined
  return problem("expectation-failed", "The only expectation that is met is 100-continue: send no other in Expect", {})
}

/** Whether the request has a body that has not come to its end yet. */
const isUnread = (request: Request): boolean => {
  if (sourceOf(request).complete !== false) return false
  const { headers } = request
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0
}

/**
 * A refusal that was given before the body was read says that the connection closes, and is sent whole at once. What
 * still comes is read and dropped for a while: to a client that sends all before it reads, a connection that closes
 * earlier is one that was reset, and it never sees the answer (RFC 9112 §9.6).
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

/** Reads what still comes, within bounds, and gives nothing. */
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

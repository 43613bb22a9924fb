/** Answers with problems at the edge, before any route: when the parser refuses a request, or no route can take it. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { lingerIdleMs, lingerMaxBytes, lingerMaxMs } from "../Http/Etiquette.ts"
import { invalidRequest, type Problem, problem, problemMediaType, toJson } from "../Problem.ts"

/** How long a refused client may take to read its answer before the server cuts the connection. */
const readAnswerMs = 500

/** The problem for an error code of the parser or its timers. */
export const problemOf = (code: string | undefined): Problem => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return problem(
        "head-too-large",
        "The head of the request is too large: send shorter headers or a shorter path",
        {}
      )
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem("request-timeout", "The request did not arrive in time: send it again", {})
    default:
      return invalidRequest("This is not an HTTP/1.1 request")
  }
}

/** Refuses a request without a response object and ends the connection, since the next request has no known beginning (RFC 9112 §2.2). */
export const refuseSocket = (socket: Duplex, met: Problem): void => {
  if (!socket.writable) return void socket.destroy()
  const body = JSON.stringify(toJson(met))
  const head = [
    `HTTP/1.1 ${met.status} ${STATUS_CODES[met.status]}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "x-content-type-options: nosniff",
    "connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`)
  cutLater(socket)
}

/** Refuses a request in its turn among the answers, and ends the connection after it. */
export const refuseRequest = (response: ServerResponse, met: Problem): void => {
  const body = Buffer.from(JSON.stringify(toJson(met)))
  response.shouldKeepAlive = false
  response.writeHead(met.status, {
    ...met.headers,
    "content-type": problemMediaType,
    "content-length": body.length,
    "x-content-type-options": "nosniff",
    connection: "close"
  })
  response.end(body)
}

/** Cuts a connection later: the client may never close its half, and a stopping server would wait for it. */
export const cutLater = (socket: Duplex): void => {
  const timer = setTimeout(() => socket.destroy(), readAnswerMs)
  socket.once("close", () => clearTimeout(timer))
}

/**
 * Reads and drops what a refused client still sends, within bounds. If the connection closed earlier, a client that sends
 * all before it reads would see a reset instead of the answer (RFC 9112 §9.6).
 */
export const dropRest = (request: IncomingMessage, ended: () => void): void => {
  if (request.destroyed) {
    ended()
    return
  }
  let size = 0
  const end = (): void => {
    clearTimeout(whole)
    clearTimeout(idle)
    request.off("data", onData)
    request.off("end", end)
    request.off("close", end)
    ended()
  }
  const onData = (part: Buffer): void => {
    size += part.length
    if (size > lingerMaxBytes) end()
    else idle.refresh()
  }
  const whole = setTimeout(end, lingerMaxMs)
  const idle = setTimeout(end, lingerIdleMs)
  request.on("data", onData)
  request.on("end", end)
  request.on("close", end)
  request.resume()
}

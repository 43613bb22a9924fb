/** Problems that are answered at the edge, before any route is asked: the parser refused, or nothing can be asked for. */
import { type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { invalidRequest, type Problem, problem, problemMediaType, toJson } from "../Problem.ts"

/** How long a client may take to read why it was refused before its connection is cut. */
const readAnswerMs = 500

/** Why the parser, or its clock, gave up on a connection. */
export const problemOf = (code: string | undefined): Problem => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return problem("head-too-large", "The head of the request is too large", {})
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem("request-timeout", "The request did not come in time", {})
    default:
      return invalidRequest("This is not an HTTP/1.1 request")
  }
}

/** Refuses what has no response object, and ends the connection: nobody knows where the next request begins (RFC 9112 §2.2). */
export const refuseSocket = (socket: Duplex, met: Problem): void => {
  if (!socket.writable) return void socket.destroy()
  const body = JSON.stringify(toJson(met))
  const head = [
    `HTTP/1.1 ${met.status} ${STATUS_CODES[met.status]}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`)
  cutLater(socket)
}

/** Refuses a request in its place among the answers, and ends the connection after it. */
export const refuseRequest = (response: ServerResponse, met: Problem): void => {
  const body = Buffer.from(JSON.stringify(toJson(met)))
  response.shouldKeepAlive = false
  response.writeHead(met.status, {
    ...met.headers,
    "content-type": problemMediaType,
    "content-length": body.length,
    connection: "close"
  })
  response.end(body)
}

/** The other side may never close its half, and a server that stops would wait for it. */
export const cutLater = (socket: Duplex): void => {
  const timer = setTimeout(() => socket.destroy(), readAnswerMs)
  socket.once("close", () => clearTimeout(timer))
}

/** The node's HTTP server: what its parser refuses, before any route is asked, is answered by a problem too. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { declaredProblem, invalidRequest, type Problem, problem, problemMediaType, toJson } from "../Http/Problem.ts"

/** How long a client may take to read why it was refused, before its connection is cut. */
const readAnswerMs = 500

const problemOf = (code: string | undefined): Problem => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW": {
      const title = "Request header fields too large"
      return declaredProblem({
        kind: "head-too-large",
        status: 431,
        title,
        detail: "The head of a request is too large"
      })
    }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem("request-timeout", "The request did not come in time", {})
    default:
      return invalidRequest("This is no HTTP request")
  }
}

/** Nothing else is said on this connection: where the next request would begin nobody knows (RFC 9112 §2.2). */
const refuse = ({ code }: NodeJS.ErrnoException, socket: Duplex): void => {
  if (code === "ECONNRESET" || !socket.writable) return void socket.destroy()
  const met = problemOf(code)
  const body = JSON.stringify(toJson(met))
  const head = [
    `HTTP/1.1 ${met.status} ${STATUS_CODES[met.status]}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`)
  // The other side may never close its half, and what waits for this socket would wait for ever.
  const timer = setTimeout(() => socket.destroy(), readAnswerMs)
  socket.once("close", () => clearTimeout(timer))
}

/** Before the application is there, and once it is gone, a connection that nobody answers would keep the server from closing. */
const answerWhileAlone = (server: Server): Server => {
  let wasServed = false
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (server.listenerCount("request") > 1) return
    const isAlive = request.url === "/livez"
    const body = isAlive ? { status: "ok" } : toJson(wasServed ? stopping : starting)
    const type = isAlive ? "application/json" : problemMediaType
    response.writeHead(isAlive ? 200 : 503, { "content-type": type, "retry-after": "1", connection: "close" })
    response.end(JSON.stringify(body))
  })
  server.on("upgrade", (_, socket: Duplex) => {
    if (server.listenerCount("upgrade") === 1) socket.destroy()
  })
  server.on("newListener", (event) => {
    wasServed ||= event === "request"
  })
  return server
}

const starting = problem("starting", "This node has just started, and opens its log", { definite: true })
const stopping = problem("draining", "This node is about to stop", { definite: true })

/** A server for a node. The application adds its own listener for requests, and takes it away before it ends. */
export const makeServer = (): Server => answerWhileAlone(createServer().on("clientError", refuse))

/** The node's HTTP server: what its parser refuses, before any route is asked, is answered by a problem too. */
import { createServer, type Server, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { declaredProblem, invalidRequest, type Problem, problem, toJson } from "../../src/Http/Problem.ts"

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

export const makeServer = (): Server => createServer().on("clientError", refuse)

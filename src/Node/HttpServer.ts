/**
 * The HTTP server of a node on Node, Bun and Deno: `node:http`, hardened. Nothing that a client sends or breaks off ends
 * the process, and answers leave in the order of the requests. What a request asks for is the routes' business (Http).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { invalidRequest, problem } from "../Problem.ts"
import { type Exchanges, followConnection, ignoreErrors } from "./Exchanges.ts"
import { cutLater, problemOf, refuseRequest, refuseSocket } from "./Refusal.ts"

/** How long the head of a request may take to come. Bodies have a bound of their own (BodyDeadline.ts). */
const headTimeoutMs = 10_000
/** How long a whole request may take, where its route does not read its body. */
const requestTimeoutMs = 30_000
/** How often the runtime looks for requests that take too long. */
const lookEveryMs = 1_000
/** How long connections may take to end once the server is told to close. */
const closeMaxMs = 1_000

/** The versions that this server speaks; the parser lets others pass. */
const versions: ReadonlyArray<string> = ["1.0", "1.1"]

const starting = problem("starting", "This node has just started, and opens its log", { definite: true })
const stopping = problem("draining", "This node is stopping: ask another node", { definite: true })

/** Before the application is there, and once it is gone, a request that nobody answers would keep the server from closing. */
const answerAlone = (request: IncomingMessage, response: ServerResponse, wasServed: boolean): void => {
  if (request.url === "/livez") {
    response.shouldKeepAlive = false
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify({ status: "ok" }))
  } else refuseRequest(response, wasServed ? stopping : starting)
}

/** A server for a node. The application adds its own listener for requests, and takes it away before it ends. */
export const makeServer = (): Server => {
  const server = createServer({
    // The routes check it, and say by a problem what is wrong with it.
    requireHostHeader: false,
    headersTimeout: headTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: lookEveryMs
  })
  // A client that has ended its half still reads. All three runtimes know this property, and no type names it.
  Object.assign(server, { httpAllowHalfOpen: true })

  const connections = new Map<Duplex, Exchanges>()
  const exchangesOf = (socket: Duplex): Exchanges => {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const exchanges = followConnection(socket)
    connections.set(socket, exchanges)
    socket.once("close", () => connections.delete(socket))
    return exchanges
  }
  /** Connections that are read no more: what still comes is answered by nothing. */
  const over = new WeakSet<Duplex>()

  let wasServed = false
  server.on("newListener", (event) => {
    wasServed ||= event === "request"
  })
  server.on("connection", exchangesOf)
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    server.emit("request", request, response)
  })
  server.on("connect", (_request: IncomingMessage, socket: Duplex) =>
    refuseSocket(socket, invalidRequest("CONNECT is not served: this is no proxy"))
  )
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (over.has(socket)) return
    over.add(socket)
    if (error.code === "ECONNRESET") return void socket.destroy()
    const exchanges = exchangesOf(socket)
    const isWithinBody = exchanges.isReceiving()
    if (isWithinBody) exchanges.breakOff(error)
    exchanges.whenAnswered(() => {
      // The broken request has its answer, from its own route.
      if (!isWithinBody) return refuseSocket(socket, problemOf(error.code))
      socket.end()
      cutLater(socket)
    })
  })

  const emit: (event: string, ...args: ReadonlyArray<unknown>) => boolean = server.emit.bind(server)
  /** Notes each exchange before anything may answer it, and lets upgrades wait for the answers before them. */
  server.emit = (event: string, ...args: ReadonlyArray<unknown>): boolean => {
    if (event === "upgrade" || event === "connect") {
      const [request, socket] = args as [IncomingMessage, Duplex]
      ignoreErrors(request)
      exchangesOf(socket).whenAnswered(() => {
        if (socket.writable) emit(event, ...args)
        else socket.destroy()
      })
      return true
    }
    if (event !== "request" && event !== "checkContinue") return emit(event, ...args)
    const [request, response] = args as [IncomingMessage, ServerResponse]
    exchangesOf(request.socket).begin(request, response)
    if (!versions.includes(request.httpVersion)) {
      refuseRequest(response, invalidRequest(`HTTP/${request.httpVersion} is not spoken here: use HTTP/1.1`))
    } else if (server.listenerCount("request") === 0) answerAlone(request, response, wasServed)
    else emit(event, ...args)
    return true
  }

  /** On a connection without a request so far one may be on its way: it is answered while the server closes. */
  server.closeIdleConnections = () => {
    for (const [socket, exchanges] of connections) if (exchanges.isIdle()) socket.destroy()
  }
  const close: Server["close"] = server.close.bind(server)
  /** A connection that stays silent, or stops within a request, may not keep a server that was told to stop. */
  server.close = (callback) => {
    const timer = setTimeout(() => server.closeAllConnections(), closeMaxMs)
    return close((error) => {
      clearTimeout(timer)
      callback?.(error)
    })
  }
  return server
}

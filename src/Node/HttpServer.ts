/**
 * The HTTP server of a node on Node, Bun and Deno: a hardened `node:http`. No input and no broken connection ends the
 * process, and answers leave in the order of the requests. The routes of Http answer the requests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createTlsServer, type Server as TlsServer } from "node:https"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { unreadable } from "../Http/Body.ts"
import type { Find } from "../Http/DirectRoutes.ts"
import { invalidRequest, problem } from "../Problem.ts"
import { type ConnectionLimits, make as makeConnections } from "./Connections.ts"
import { serveDirectly } from "./DirectExchange.ts"
import { type Exchanges, followConnection, ignoreErrors } from "./Exchanges.ts"
import * as ReadingTurns from "./ReadingTurns.ts"
import { cutLater, problemOf, refuseRequest, refuseSocket } from "./Refusal.ts"
import type { ServerCredentials } from "./ServerTls.ts"
import * as TlsHandshakes from "./TlsHandshakes.ts"

/** How long the head of a request may take to come. Bodies have their own bound (BodyDeadline.ts). */
const headTimeoutMs = 10_000
/** How long a whole request may take if its route does not read the body. */
const requestTimeoutMs = 30_000
/** How often the runtime checks for requests that take too long. */
const lookEveryMs = 1_000
/** How long connections may take to end once the server closes. */
const closeMaxMs = 1_000

/** The HTTP versions of this server. The parser accepts others too. */
const versions: ReadonlyArray<string> = ["1.0", "1.1"]

const starting = problem("starting", "This node has just started and is opening its log: try again", { definite: true })
const stopping = problem("draining", "This node is stopping: ask another node", { definite: true })

/** Answers requests before the application is ready and after it has ended. An unanswered request would keep the server from closing. */
const answerAlone = (request: IncomingMessage, response: ServerResponse, wasServed: boolean): void => {
  if (request.url === "/livez") {
    response.shouldKeepAlive = false
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify({ status: "ok" }))
  } else refuseRequest(response, wasServed ? stopping : starting)
}

/** A server of a node. */
export interface NodeServer {
  readonly server: Server
  /** Serves the endpoints that this finds directly; with undefined all requests go to the listener. */
  readonly serveFirst: (find: Find | undefined) => void
  /** From now on these proxies too may open connections for all their clients: the application names them. */
  readonly trust: (proxies: ReadonlyArray<string>) => void
  /** Shows another certificate to connections to come; undefined without TLS, and where the runtime cannot. */
  readonly renew: ((credentials: ServerCredentials) => void) | undefined
}

/** Makes a server for a node. The application adds its own listener for requests, and removes it before it ends. */
export const makeServer = (
  limits: Partial<ConnectionLimits> = {},
  trustedProxies: ReadonlyArray<string> = [],
  credentials?: ServerCredentials
): NodeServer => {
  const { admit, trust } = makeConnections(limits, trustedProxies)
  let find: Find | undefined
  const settings = {
    // The routes check it, and answer with a problem.
    requireHostHeader: false,
    headersTimeout: headTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: lookEveryMs
  }
  const tlsServer =
    credentials === undefined ? undefined : createTlsServer({ ...settings, ...credentials, minVersion: "TLSv1.2" })
  // It has the methods and events of a plain one, but for those of TLS.
  const server = (tlsServer as unknown as Server | undefined) ?? createServer(settings)
  const handshakes = tlsServer === undefined ? undefined : TlsHandshakes.make(tlsServer)
  // A client that has ended its half still reads. All three runtimes have this property, but the types do not.
  Object.assign(server, { httpAllowHalfOpen: true })

  const turns = ReadingTurns.make()
  const connections = new Map<Duplex, Exchanges>()
  const exchangesOf = (socket: Duplex): Exchanges => {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const exchanges = followConnection(socket)
    connections.set(socket, exchanges)
    socket.once("close", () => connections.delete(socket))
    return exchanges
  }
  /** Has a connection wait for its turn. */
  const restOf = (exchanges: Exchanges) => (isCrowded: () => boolean) =>
    exchanges.rest((read) => turns.await(isCrowded, read))
  /** Connections that the server no longer reads. It ignores further input. */
  const over = new WeakSet<Duplex>()

  let wasServed = false
  server.on("newListener", (event) => {
    wasServed ||= event === "request"
  })
  server.on("connection", (socket: Socket) => {
    const leave = admit(socket.remoteAddress ?? "")
    if (leave === undefined) return void socket.destroy()
    socket.once("close", leave)
    // Under TLS its requests come on another socket.
    if (handshakes === undefined) exchangesOf(socket)
    else handshakes.began(socket)
  })
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    server.emit("request", request, response)
  })
  server.on("connect", (_request: IncomingMessage, socket: Duplex) =>
    refuseSocket(socket, invalidRequest("This server does not take CONNECT: it is not a proxy"))
  )
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (over.has(socket)) return
    over.add(socket)
    // No TLS came about: the client would not understand an answer.
    if (handshakes?.isWithin(socket) === true) return void socket.destroy()
    if (error.code === "ECONNRESET") return void socket.destroy()
    const exchanges = exchangesOf(socket)
    const isWithinBody = exchanges.isReceiving()
    if (isWithinBody) exchanges.breakOff(error)
    exchanges.whenAnswered(() => {
      // The route of the broken request answers it.
      if (!isWithinBody) return refuseSocket(socket, problemOf(error.code))
      socket.end()
      cutLater(socket)
    })
  })

  const emit: (event: string, ...args: ReadonlyArray<unknown>) => boolean = server.emit.bind(server)
  /** Has requests and upgrades wait for earlier answers. */
  server.emit = (event: string, ...args: ReadonlyArray<unknown>): boolean => {
    if (event === "upgrade" || event === "connect") {
      const [request, socket] = args as [IncomingMessage, Duplex]
      ignoreErrors(request)
      exchangesOf(socket).whenAnswered(() => {
        if (!socket.writable) return void socket.destroy()
        // The runtime's timeouts no longer know this connection. After an answer without an upgrade nobody reads it.
        socket.once("finish", () => cutLater(socket))
        emit(event, ...args)
      })
      return true
    }
    if (event !== "request" && event !== "checkContinue") return emit(event, ...args)
    const [request, response] = args as [IncomingMessage, ServerResponse]
    exchangesOf(request.socket).begin(request, response, () => serveInTurn(event, request, response))
    return true
  }
  const serveInTurn = (event: string, request: IncomingMessage, response: ServerResponse): void => {
    if (!versions.includes(request.httpVersion)) {
      refuseRequest(response, invalidRequest(`This server does not take HTTP/${request.httpVersion}: use HTTP/1.1`))
    } else if (request.destroyed && !request.complete) refuseRequest(response, unreadable)
    else if (server.listenerCount("request") === 0) answerAlone(request, response, wasServed)
    else if (
      event === "checkContinue" ||
      find === undefined ||
      !serveDirectly(find, request, response, restOf(exchangesOf(request.socket)))
    ) {
      emit(event, request, response)
    }
  }

  /** A request may be on its way on a new connection. The server answers it while it closes. */
  server.closeIdleConnections = () => {
    for (const [socket, exchanges] of connections) if (exchanges.isIdle()) socket.destroy()
  }
  const close: Server["close"] = server.close.bind(server)
  /** A silent connection, or one that stops within a request, must not keep a closing server open. */
  server.close = (callback) => {
    handshakes?.end()
    const timer = setTimeout(() => server.closeAllConnections(), closeMaxMs)
    return close((error) => {
      clearTimeout(timer)
      callback?.(error)
    })
  }
  return {
    server,
    serveFirst: (found) => {
      find = found
    },
    trust,
    renew: renewOf(tlsServer)
  }
}

/** Not every runtime has the method on a server of requests. */
const renewOf = (server: Partial<Pick<TlsServer, "setSecureContext">> | undefined): NodeServer["renew"] =>
  server?.setSecureContext === undefined ? undefined : (credentials) => server.setSecureContext?.(credentials)

/**
 * The exchanges of one connection of a server, one after another: a request begins once the answer before it has left. So
 * a connection has one answer in memory at most, whatever its client sends, and a read behind a write sees it. Garbage, an
 * upgrade or the end of the client's half wait for the answers to earlier requests too. RFC 9112 §9.3.2.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

/** A socket of `node:net`. The types of some events call it just a stream. */
type Connection = Duplex & { readonly bytesRead?: number }

/** With more requests that wait, the server stops reading the connection. */
const waitingMaxCount = 16

/** A request whose answer has not left yet. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Serves the request; undefined once it has begun. */
  serve: (() => void) | undefined
}

/** The exchanges under way on one connection. */
export interface Exchanges {
  /** Serves a request in its turn: at once, or when the answers to earlier requests have left. */
  readonly begin: (request: IncomingMessage, response: ServerResponse, serve: () => void) => void
  /** Runs `act` once all answers have left. Nothing more may be read from the connection. */
  readonly whenAnswered: (act: () => void) => void
  /** Reads and serves nothing more until `begin` calls back. */
  readonly rest: (begin: (read: () => void) => void) => void
  /** Ends the reading of an incomplete body; the route then answers, and the connection closes. */
  readonly breakOff: (error: Error) => void
  /** Whether the client is still sending the body of the last request. */
  readonly isReceiving: () => boolean
  /** Whether the connection is idle: every request that was read is answered. */
  readonly isIdle: () => boolean
}

/** Ignores error events, since one without a listener ends the process. Readers and writers have their own listeners. */
export const ignoreErrors = (emitter: NodeJS.EventEmitter): void => {
  if (!emitter.listeners("error").includes(ignored)) emitter.on("error", ignored)
}
const ignored = (): void => {}

/** Follows one connection until it closes. */
export const followConnection = (socket: Connection): Exchanges => {
  /** A list, since the tables of a set that things come to and leave keep each other alive (InFlight.ts). */
  const underWay: Array<Exchange> = []
  let last: Exchange | undefined
  let waiting: (() => void) | undefined
  /** How much had been read when the last answer left. */
  let answeredBytes: number | undefined
  let isHeld = false
  let isResting = false

  const isTooMuch = (): boolean => isResting || underWay.length > waitingMaxCount + 1
  /** Reads the connection on, or not. A request that is read to its end resumes it too. */
  const readOrHold = (): void => {
    if (isTooMuch()) {
      isHeld = true
      socket.pause()
    } else if (isHeld) {
      isHeld = false
      socket.resume()
    }
  }
  const serveNext = (): void => {
    const [next] = underWay
    // After an answer with `Connection: close` the server must not begin another request.
    if (next?.serve === undefined || !socket.writable || isResting) return
    const { serve } = next
    next.serve = undefined
    serve()
  }

  const breakOff = (error: Error): void => {
    if (last === undefined || last.request.complete || last.request.destroyed) return
    const { request, response } = last
    response.shouldKeepAlive = false
    // Destroying a request closes its connection, but the answer must still be sent.
    request._destroy = (cause, callback) => callback(cause)
    request.destroy(error)
  }

  ignoreErrors(socket)
  socket.on("resume", () => {
    if (isTooMuch()) readOrHold()
  })
  socket.on("end", () => {
    breakOff(new Error("The client closed its side before the body was complete"))
    // Only sending shows whether the client has closed, or has just ended its half. An answer is sent soon. A stream may
    // be silent for long, so it ends here.
    for (const { response } of underWay) if (response.headersSent && !response.writableEnded) socket.destroy()
  })
  socket.on("close", () => {
    // An answer that waits behind another has no socket yet, so nothing else would tell it of the end.
    for (const { response } of [...underWay]) {
      if (response.destroyed) continue
      response.destroy()
      response.emit("close")
    }
    underWay.length = 0
  })

  return {
    begin: (request, response, serve) => {
      request.on("error", ignored)
      response.on("error", ignored)
      const exchange: Exchange = { request, response, serve }
      last = exchange
      underWay.push(exchange)
      const ended = (): void => {
        const position = underWay.indexOf(exchange)
        if (position < 0) return
        underWay.splice(position, 1)
        answeredBytes = socket.bytesRead
        readOrHold()
        serveNext()
        if (underWay.length > 0 || waiting === undefined) return
        const act = waiting
        waiting = undefined
        act()
      }
      response.on("finish", ended)
      response.on("close", ended)
      readOrHold()
      serveNext()
    },
    whenAnswered: (act) => {
      if (underWay.length === 0) act()
      else waiting = act
    },
    rest: (begin) => {
      if (isResting || socket.destroyed) return
      isResting = true
      readOrHold()
      begin(() => {
        isResting = false
        readOrHold()
        // Requests that were read before, or that Bun reads from a paused connection.
        serveNext()
      })
    },
    breakOff,
    isReceiving: () => last !== undefined && !last.request.complete,
    isIdle: () => last !== undefined && underWay.length === 0 && socket.bytesRead === answeredBytes
  }
}

/**
 * The exchanges under way on one connection of a server. Answers leave in the order of the requests, so whatever follows
 * a request that is not answered yet waits for its answer: garbage, an upgrade, the end of the client's half. RFC 9112 §9.3.2.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

/** A socket of `node:net`. The types of some events know it as a stream alone. */
type Connection = Duplex & { readonly bytesRead?: number }

/** A request whose answer has not left yet. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** What is under way on one connection. */
export interface Exchanges {
  /** Notes a request. Call it before anything may answer it. */
  readonly begin: (request: IncomingMessage, response: ServerResponse) => void
  /** Runs `act` once all answers have left, at once if none is owed. Nothing else may be read from the connection. */
  readonly whenAnswered: (act: () => void) => void
  /** Tells the reader of an incomplete body that no more of it comes; the route then answers, and the connection ends. */
  readonly breakOff: (error: Error) => void
  /** Whether the client still sends the body of the last request. */
  readonly isReceiving: () => boolean
  /** Whether the connection is kept for another request: all that was read of it is answered. */
  readonly isIdle: () => boolean
}

/** An error event without a listener ends the process. Who reads or writes has listeners of its own for what it does. */
export const ignoreErrors = (emitter: NodeJS.EventEmitter): void => {
  if (!emitter.listeners("error").includes(ignored)) emitter.on("error", ignored)
}
const ignored = (): void => {}

/** Follows one connection until it closes. */
export const followConnection = (socket: Connection): Exchanges => {
  const underWay = new Set<Exchange>()
  let last: Exchange | undefined
  let waiting: (() => void) | undefined
  /** How much had been read when the last answer left. */
  let answeredBytes: number | undefined

  const breakOff = (error: Error): void => {
    if (last === undefined || last.request.complete || last.request.destroyed) return
    const { request, response } = last
    response.shouldKeepAlive = false
    // A request that is destroyed takes its connection with it, but the answer is still to be sent.
    request._destroy = (cause, callback) => callback(cause)
    request.destroy(error)
  }

  ignoreErrors(socket)
  socket.on("end", () => {
    breakOff(new Error("The client ended its half within the body"))
    // A client that has closed is told from one that has only ended its half when something is sent to it. An answer
    // is sent soon. A stream may be silent for long, so it ends here.
    for (const { response } of underWay) if (response.headersSent && !response.writableEnded) socket.destroy()
  })
  socket.on("close", () => {
    // An answer that still waits behind another one has no socket yet, and hears of the end from nobody else.
    for (const { response } of underWay) {
      if (response.destroyed) continue
      response.destroy()
      response.emit("close")
    }
    underWay.clear()
  })

  return {
    begin: (request, response) => {
      ignoreErrors(request)
      ignoreErrors(response)
      const exchange = { request, response }
      last = exchange
      underWay.add(exchange)
      const ended = (): void => {
        underWay.delete(exchange)
        answeredBytes = socket.bytesRead
        if (underWay.size > 0 || waiting === undefined) return
        const act = waiting
        waiting = undefined
        act()
      }
      response.on("finish", ended)
      response.on("close", ended)
    },
    whenAnswered: (act) => {
      if (underWay.size === 0) act()
      else waiting = act
    },
    breakOff,
    isReceiving: () => last !== undefined && !last.request.complete,
    isIdle: () => last !== undefined && underWay.size === 0 && socket.bytesRead === answeredBytes
  }
}

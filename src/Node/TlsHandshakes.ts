/**
 * The connections of a node's server whose TLS handshake goes on. A client that begins one and stops keeps no connection for
 * long: not every runtime ends it by itself.
 */
import type { Server } from "node:https"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** How long a handshake may take. */
const handshakeTimeoutMs = 10_000

/** The handshakes of one server. */
export interface TlsHandshakes {
  /** A connection has come. */
  readonly began: (socket: Socket) => void
  /** Whether no handshake has been done on the connection. */
  readonly isWithin: (socket: Duplex) => boolean
  /** Ends all of them: the server closes. */
  readonly end: () => void
}

/** Both ends of TLS say the same address, and a runtime need not show which socket is behind which. */
const nameOf = ({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string =>
  `${remoteAddress} ${remotePort}`

/** Follows the handshakes of a server. */
export const make = (server: Pick<Server, "on">): TlsHandshakes => {
  const waiting = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>()
  const secured = new WeakSet<Duplex>()
  const over = (name: string): void => {
    clearTimeout(waiting.get(name)?.timer)
    waiting.delete(name)
  }
  server.on("secureConnection", (socket) => {
    secured.add(socket)
    over(nameOf(socket))
  })
  return {
    began: (socket) => {
      const name = nameOf(socket)
      const timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs)
      waiting.set(name, { socket, timer })
      socket.once("close", () => over(name))
    },
    isWithin: (socket) => !secured.has(socket),
    end: () => {
      for (const { socket } of waiting.values()) socket.destroy()
    }
  }
}

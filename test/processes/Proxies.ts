/**
 * The network between real nodes, in the hands of a test. Each node reaches its peers through an HTTP proxy of its own,
 * which Node's HTTP client uses when the environment names one. So the test knows of every byte which node sent it to
 * which, though all of them dial the one address that the log holds for a peer.
 *
 * A link is one direction between two nodes. Cut, it holds back what is sent, the end of a connection too, and delivers
 * it once healed: as TCP does where packets are lost for a while, and worse, for nothing times out in between.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { decodeHello } from "../../src/Raft/peers/Handshake.ts"
import type { Lane } from "../../src/Raft/peers/PeerMessage.ts"
import { lengthBytes } from "../../src/Raft/peers/WireFrame.ts"

/** The harm to one direction between two nodes. */
interface Link {
  isCut: boolean
  /** Entries and requests stand still, and beats go on. */
  isBulkCut: boolean
  delayMs: number
  deliveredBytes: number
  /** One for each connection: moves the bytes that may move now. */
  readonly flows: Set<() => void>
}

export interface Proxies {
  /** The environment of the node on this port, and its proxy, which ends with the scope. */
  readonly environmentOf: (port: number) => Effect.Effect<Record<string, string>, never, Scope.Scope>
  readonly cut: (link: { readonly from: number; readonly to: number }) => void
  /** The same of connections for entries and requests alone, which are told by their hello. */
  readonly cutBulk: (link: { readonly from: number; readonly to: number }) => void
  readonly delay: (link: { readonly from: number; readonly to: number; readonly delayMs: number }) => void
  /** Resets every connection between two nodes, with everything under way. */
  readonly reset: (a: number, b: number) => void
  /** The same of connections for entries and requests alone. */
  readonly resetBulk: (a: number, b: number) => void
  readonly heal: () => void
  readonly deliveredBytes: (from: number, to: number) => number
}

/** How much of one connection a link holds back before it stops reading: about as much as two kernels. */
const heldMaxCount = 256
const headMaxBytes = 8192

export const makeProxies = (): Proxies => {
  const links = new Map<string, Link>()
  const sockets = new Map<string, Map<Socket, Connection>>()
  const linkOf = (from: number, to: number): Link => {
    const name = `${from}>${to}`
    const link = links.get(name) ?? { isCut: false, isBulkCut: false, delayMs: 0, deliveredBytes: 0, flows: new Set() }
    links.set(name, link)
    return link
  }
  const flush = (link: Link) => {
    for (const move of link.flows) move()
  }
  const pairOf = (a: number, b: number): Map<Socket, Connection> => {
    const name = [a, b].sort().join()
    const pair = sockets.get(name) ?? new Map()
    sockets.set(name, pair)
    return pair
  }

  const join = (options: {
    readonly near: Socket
    readonly head: Buffer
    readonly from: number
    readonly to: number
  }) => {
    const { from, head, near, to } = options
    const far = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true })
    const pair = pairOf(from, to)
    const connection = connectionOf(far)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      pair.set(socket, connection)
      socket.once("close", () => pair.delete(socket))
    }
    pump(linkOf(from, to), connection, near, far)
    pump(linkOf(to, from), connection, far, near)
    near.emit("data", head)
  }

  return {
    environmentOf: (from) =>
      Effect.gen(function* () {
        const server = createServer({ allowHalfOpen: true }, (near) =>
          readHead(near, (head, to) => join({ near, head, from, to }))
        )
        const port = yield* Effect.acquireRelease(listen(server), () =>
          Effect.sync(() => {
            server.close()
            for (const pair of sockets.values()) for (const socket of pair.keys()) socket.destroy()
          })
        )
        // The lower-case name too: Node prefers it, and the machine of the tests may have one.
        const proxy = `http://127.0.0.1:${port}`
        return { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: "", no_proxy: "" }
      }),
    cut: ({ from, to }) => {
      linkOf(from, to).isCut = true
    },
    cutBulk: ({ from, to }) => {
      linkOf(from, to).isBulkCut = true
    },
    delay: ({ delayMs, from, to }) => {
      linkOf(from, to).delayMs = delayMs
    },
    reset: (a, b) => {
      for (const socket of [...pairOf(a, b).keys()]) socket.resetAndDestroy()
    },
    resetBulk: (a, b) => {
      for (const [socket, { lane }] of [...pairOf(a, b)]) if (lane === "bulk") socket.resetAndDestroy()
    },
    heal: () => {
      for (const link of links.values()) {
        link.isCut = false
        link.isBulkCut = false
        link.delayMs = 0
        flush(link)
      }
    },
    deliveredBytes: (from, to) => linkOf(from, to).deliveredBytes
  }
}

/** One connection between two nodes. Its lane is known once its acceptor has named it. */
interface Connection {
  lane: Lane | undefined
}

/** Reads along the acceptor's first bytes: the answer to the upgrade, and its hello as one frame. */
const connectionOf = (acceptor: Socket): Connection => {
  const connection: Connection = { lane: undefined }
  let read = Buffer.alloc(0)
  const listener = (chunk: Buffer): void => {
    read = Buffer.concat([read, chunk])
    const frame = read.indexOf("\r\n\r\n") + 4
    if (frame < 4 || read.length < frame + lengthBytes) return
    const end = frame + lengthBytes + read.readUInt32BE(frame)
    if (read.length < end) return
    acceptor.off("data", listener)
    const hello = decodeHello(read.subarray(frame + lengthBytes + 1, end))
    if (!("_tag" in hello) && hello.lane !== "join") connection.lane = hello.lane
  }
  acceptor.on("data", listener)
  return connection
}

/** Moves the bytes of one end to the other, in order, when the link permits. */
const pump = (link: Link, connection: Connection, source: Socket, sink: Socket): void => {
  const held: Array<{ readonly dueMs: number; readonly deliver: () => void }> = []
  let timer: NodeJS.Timeout | undefined
  const move = (): void => {
    clearTimeout(timer)
    timer = undefined
    while (held.length > 0 && !link.isCut && !(link.isBulkCut && connection.lane === "bulk")) {
      const leftMs = held[0]!.dueMs - performance.now()
      if (leftMs > 0) {
        timer = setTimeout(move, leftMs)
        return
      }
      held.shift()!.deliver()
    }
    if (!isFull()) source.resume()
  }
  const isFull = () => held.length >= heldMaxCount || sink.writableNeedDrain
  const send = (deliver: () => void): void => {
    held.push({ dueMs: performance.now() + link.delayMs, deliver })
    if (timer === undefined) move()
    if (isFull()) source.pause()
  }
  link.flows.add(move)
  sink.on("drain", move)
  source.on("data", (chunk: Buffer) =>
    send(() => {
      link.deliveredBytes += chunk.length
      sink.write(chunk)
    })
  )
  source.once("end", () => send(() => void sink.end()))
  // The close tells of the break.
  source.on("error", () => {})
  source.once("close", () =>
    send(() => {
      link.flows.delete(move)
      sink.destroy()
    })
  )
}

/** Reads the first request up to its empty line, and gives it as an origin server wants it, with the port that it is for. */
const readHead = (near: Socket, done: (head: Buffer, port: number) => void): void => {
  let read = Buffer.alloc(0)
  const refuse = (): void => void near.destroy()
  const listener = (chunk: Buffer): void => {
    read = Buffer.concat([read, chunk])
    const end = read.indexOf("\r\n\r\n")
    if (end < 0) {
      if (read.length > headMaxBytes) refuse()
      return
    }
    near.off("data", listener)
    near.off("error", refuse)
    const first = /^GET http:\/\/127\.0\.0\.1:(\d+)(\/\S*) HTTP\/1\.1\r\n/.exec(read.toString("latin1"))
    if (first === null) refuse()
    else
      done(
        Buffer.concat([Buffer.from(`GET ${first[2]} HTTP/1.1\r\n`), read.subarray(first[0].length)]),
        Number(first[1])
      )
  }
  near.on("data", listener)
  near.on("error", refuse)
}

const listen = (server: Server) =>
  Effect.callback<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

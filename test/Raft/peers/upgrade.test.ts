/** An HTTP request that becomes a stream of bytes, and each way in which it does not. RFC 9110 §7.8. */
import { createServer, type IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Headers } from "effect/http"
import { acceptUpgrade, asksForUpgrade, dialUpgrade } from "../../../src/Raft/peers/Upgrade.ts"

/** The URL of a server that does this with an upgrade. */
const serverThat = Effect.fnUntraced(function* (upgraded: (socket: Duplex, request: IncomingMessage) => void) {
  const sockets = new Set<Duplex>()
  const server = createServer((_request, response) => response.end("plain")).on("upgrade", (request, socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    upgraded(socket, request)
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )
  return `http://127.0.0.1:${port}/_raft`
})

const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lithair-peer\r\n\r\n"

/** Reads so many bytes. */
const read = (stream: Duplex, count: number) =>
  Effect.callback<string>((resume) => {
    let text = ""
    stream.on("data", (chunk: Uint8Array) => {
      text += String(chunk)
      if (text.length >= count) resume(Effect.succeed(text))
    })
    stream.resume()
  })

describe("asking for an upgrade", () => {
  const asks = (headers: Record<string, string>) => asksForUpgrade({ headers: Headers.fromInput(headers) })

  it("takes the token and Connection in any case and beside other tokens", () => {
    assert.isTrue(asks({ connection: "Upgrade", upgrade: "lithair-peer" }))
    assert.isTrue(asks({ connection: "keep-alive, upgrade", upgrade: "Lithair-Peer", "content-length": "0" }))
  })

  it("is no other token, no token without Connection, and nothing that has a body", () => {
    const upgrade = { connection: "Upgrade", upgrade: "lithair-peer" }
    for (const headers of [
      {},
      { upgrade: "lithair-peer" },
      { connection: "Upgrade" },
      { connection: "noupgrade", upgrade: "lithair-peer" },
      { connection: "Upgrade", upgrade: "websocket" },
      { ...upgrade, "content-length": "1" },
      { ...upgrade, "transfer-encoding": "chunked" }
    ]) {
      assert.isFalse(asks(headers), JSON.stringify(headers))
    }
  })
})

describe("dialling an upgrade", () => {
  it.live("gives a stream both ways once the acceptor has taken the connection", () =>
    Effect.gen(function* () {
      const url = yield* serverThat((_socket, source) => {
        const stream = acceptUpgrade({ source })
        stream?.on("data", (chunk: Uint8Array) => stream.write(`you said ${String(chunk)}`))
      })
      const { stream } = yield* dialUpgrade(url, 5_000)
      stream.write("hello")
      assert.strictEqual(yield* read(stream, 14), "you said hello")
    }).pipe(Effect.scoped)
  )

  it.live("keeps bytes that come right behind the 101", () =>
    Effect.gen(function* () {
      const url = yield* serverThat((socket) => socket.write(`${head}at once`))
      const { stream } = yield* dialUpgrade(url, 5_000)
      assert.strictEqual(yield* read(stream, 7), "at once")
    }).pipe(Effect.scoped)
  )

  it.live("fails if the server answers without an upgrade", () =>
    Effect.gen(function* () {
      const url = yield* serverThat((socket) =>
        socket.end("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
      )
      const closed = yield* Effect.flip(dialUpgrade(url, 5_000))
      assert.strictEqual(closed.message, "The peer answered 503 and did not upgrade")
    }).pipe(Effect.scoped)
  )

  it.live("fails if the server says nothing in time, and if it hangs up", () =>
    Effect.gen(function* () {
      const silent = yield* serverThat(() => {})
      const late = yield* Effect.flip(dialUpgrade(silent, 50))
      assert.strictEqual(late.message, "The connection took too long to open")
      const rude = yield* serverThat((socket) => socket.destroy())
      assert.isFalse((yield* Effect.flip(dialUpgrade(rude, 5_000))).refused)
    }).pipe(Effect.scoped)
  )

  it.live("closes the connection with its scope", () =>
    Effect.gen(function* () {
      const closed = Promise.withResolvers<void>()
      const url = yield* serverThat((socket) => {
        socket.write(head)
        socket.once("close", () => closed.resolve())
        socket.resume()
        socket.once("end", () => socket.end())
      })
      yield* Effect.scoped(dialUpgrade(url, 5_000))
      yield* Effect.promise(() => closed.promise).pipe(Effect.timeout("5 seconds"))
    }).pipe(Effect.scoped)
  )
})

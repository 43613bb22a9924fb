/** The network that the nemesis has in its hands: a link that it believes cut must be cut, and lose nothing once healed. */
import { connect, createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, expectThat } from "./Processes.ts"
import { makeProxies, type Proxies } from "./Proxies.ts"

/** One end of a connection: the bytes that it has read, a way to send, and whether the other end has ended it. */
interface End {
  readonly socket: Socket
  text: string
  isClosed: boolean
}

const endOf = (socket: Socket): End => {
  const end: End = { socket, text: "", isClosed: false }
  socket.on("data", (data: Buffer) => {
    end.text += data.toString()
  })
  socket.on("error", () => {}) // A reset closes it, which is what the tests look at.
  socket.on("close", () => {
    end.isClosed = true
  })
  return end
}

/** Says something at one end, and waits until the other has read all of it. */
const say = (from: End, to: End, text: string) => {
  const expected = to.text + text
  from.socket.write(text)
  return eventually(
    `"${text}" arrives`,
    Effect.suspend(() => expectThat(to.text === expected, `"${to.text}" is "${expected}"`))
  )
}

/** The only dialer of these tests; the other node is the port that it dials. */
const near = 1

/** A connection from node 1 to a server, through the proxy of node 1. */
const dialled = (proxies: Proxies) =>
  Effect.gen(function* () {
    const accepted = Promise.withResolvers<Socket>()
    const server = createServer(accepted.resolve)
    const listening = Promise.withResolvers<void>()
    server.listen(0, "127.0.0.1", listening.resolve)
    yield* Effect.promise(() => listening.promise)
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const { HTTP_PROXY } = yield* proxies.environmentOf(near)
    const dialer = endOf(connect({ host: "127.0.0.1", port: Number(new URL(HTTP_PROXY!).port) }))
    dialer.socket.write(`GET http://127.0.0.1:${port}/_raft HTTP/1.1\r\nupgrade: lithair-peer\r\n\r\n`)
    const acceptor = endOf(yield* Effect.promise(() => accepted.promise))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        dialer.socket.destroy()
        acceptor.socket.destroy()
        server.close()
      })
    )
    yield* eventually(
      "the request arrives as an origin server wants it",
      Effect.suspend(() =>
        expectThat(acceptor.text === "GET /_raft HTTP/1.1\r\nupgrade: lithair-peer\r\n\r\n", acceptor.text)
      )
    )
    return { dialer, acceptor, port }
  })

describe("proxies", () => {
  it.live(
    "a link cut one way delivers nothing that way, all of it in order once healed, and the other way meanwhile",
    () =>
      Effect.gen(function* () {
        const proxies = makeProxies()
        const { acceptor, dialer, port } = yield* dialled(proxies)
        const before = acceptor.text
        proxies.cut({ from: near, to: port })
        dialer.socket.write("one ")
        dialer.socket.write("two ")
        // Bytes that were sent later arrive in the other direction, so the earlier ones would have arrived.
        for (const word of ["three ", "four "]) yield* say(acceptor, dialer, word)
        assert.strictEqual(acceptor.text, before)
        assert.strictEqual(proxies.deliveredBytes(near, port), before.length)
        proxies.heal()
        dialer.socket.write("five ")
        yield* eventually(
          "everything arrives",
          Effect.suspend(() => expectThat(acceptor.text === `${before}one two five `, acceptor.text))
        )
      }).pipe(Effect.scoped)
  )

  it.live("a cut link hides the end of a connection too, and a reset does not", () =>
    Effect.gen(function* () {
      const proxies = makeProxies()
      const hidden = yield* dialled(proxies)
      proxies.cut({ from: near, to: hidden.port })
      hidden.dialer.socket.destroy()
      const reset = yield* dialled(proxies)
      proxies.reset(near, reset.port)
      yield* eventually(
        "both ends of the other connection are closed",
        Effect.suspend(() => expectThat(reset.dialer.isClosed && reset.acceptor.isClosed, "they are"))
      )
      assert.isFalse(hidden.acceptor.isClosed)
      proxies.heal()
      yield* eventually(
        "the end arrives",
        Effect.suspend(() => expectThat(hidden.acceptor.isClosed, "it is closed"))
      )
    }).pipe(Effect.scoped)
  )

  it.live("a slow link delivers late and in order", () =>
    Effect.gen(function* () {
      const proxies = makeProxies()
      const { acceptor, dialer, port } = yield* dialled(proxies)
      proxies.delay({ from: near, to: port, delayMs: 100 })
      const startedMs = performance.now()
      yield* say(dialer, acceptor, "one ")
      assert.isAtLeast(performance.now() - startedMs, 99)
      dialer.socket.write("two ")
      proxies.heal()
      dialer.socket.write("three ")
      yield* eventually(
        "the rest arrives in order",
        Effect.suspend(() => expectThat(acceptor.text.endsWith("one two three "), acceptor.text))
      )
    }).pipe(Effect.scoped)
  )
})

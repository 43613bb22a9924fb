/** The bounds of a server's connections: who is let in, and that a connection past them is closed at once. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Connections from "../../src/Node/Connections.ts"
import { makeServer } from "../../src/Node/HttpServer.ts"
import * as AddressCount from "../../src/Raft/peers/AddressCount.ts"

const admitted = (limits: Partial<Connections.ConnectionLimits>) =>
  AddressCount.make(Connections.limitsOf(limits)).admit

describe("the connections of a server", () => {
  it("are bounded by 10,000 in all and 256 of one address, but for this host, unless told", () => {
    assert.deepStrictEqual(Connections.limitsOf(), { max: 10_000, ofOneAddressMax: 256, ofThisHostMax: 10_000 })
  })

  it("of one address keep those of another in, and make room when they end, once each", () => {
    const admit = admitted({ ofOneAddressMax: 2 })
    const [first, second] = [admit("10.0.0.1"), admit("10.0.0.1")]
    assert.isDefined(second)
    assert.isUndefined(admit("10.0.0.1"))
    assert.isDefined(admit("10.0.0.2"))
    first?.()
    first?.()
    assert.isDefined(admit("10.0.0.1"))
    assert.isUndefined(admit("10.0.0.1"))
  })

  it("of this host may be as many as all", () => {
    const admit = admitted({ max: 3, ofOneAddressMax: 1 })
    for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.isDefined(admit(address))
    assert.isUndefined(admit("10.0.0.1"))
  })

  it("of a unix socket, which says no address, are those of this host", () => {
    const { admit } = Connections.make({ max: 5, ofOneAddressMax: 1, ofThisHostMax: 3 })
    for (let count = 0; count < 3; count++) assert.isDefined(admit(""))
    assert.isUndefined(admit(""))
  })

  it("of proxies are bounded like all, whether the server or the application names the proxy", () => {
    const { admit, trust } = Connections.make({ max: 5, ofOneAddressMax: 1 }, ["10.1.0.1"])
    for (let count = 0; count < 2; count++) assert.isDefined(admit("10.1.0.1"))
    assert.isDefined(admit("10.2.0.1"))
    assert.isUndefined(admit("10.2.0.1"))
    trust(["10.2.0.0/16"])
    assert.isDefined(admit("10.2.0.1"))
    assert.isDefined(admit("10.1.0.1"))
  })

  it.live("past the bound are closed before they are read, and the others are served", () =>
    Effect.gen(function* () {
      const { server } = makeServer({ ofThisHostMax: 2 })
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () =>
          Effect.promise(
            () =>
              new Promise<void>((resolve) => {
                server.close(() => resolve())
                server.closeAllConnections()
              })
          )
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const opened = yield* Effect.acquireRelease(
        Effect.sync((): Array<Socket> => []),
        (sockets) =>
          Effect.sync(() => {
            for (const socket of sockets) socket.destroy()
          })
      )
      /** Asks on a connection of its own, and stays connected. */
      const asked = () =>
        Effect.promise(async () => {
          const socket = connect(port, "127.0.0.1")
          opened.push(socket)
          socket.on("error", () => {})
          socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
          return await new Promise<string>((resolve) => {
            socket.once("data", (chunk) => resolve(String(chunk).split("\r\n")[0] ?? ""))
            socket.once("close", () => resolve("closed"))
          })
        })
      /** Holds a connection on which it has asked nothing. */
      const held = () =>
        Effect.promise(async () => {
          const socket = connect(port, "127.0.0.1")
          opened.push(socket)
          socket.on("error", () => {})
          await Promise.all([once(socket, "connect"), once(server, "connection")])
          return socket
        })
      const idle = yield* held()
      yield* held()
      assert.strictEqual(yield* asked(), "closed")
      idle.destroy()
      yield* Effect.promise(() => once(idle, "close"))
      const again = asked()
      yield* again.pipe(
        Effect.flatMap((line) => (line === "closed" ? Effect.fail("closed") : Effect.succeed(line))),
        Effect.eventually,
        Effect.tap((line) => Effect.sync(() => assert.strictEqual(line, "HTTP/1.1 200 OK"))),
        Effect.timeout("5 seconds")
      )
    }).pipe(Effect.scoped)
  )
})

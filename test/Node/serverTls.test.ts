/** The node's own server under TLS: what it serves, whom it cuts off, and how its certificate is replaced. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { NetAddress } from "effect/net"
import * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import type { ConnectionLimits } from "../../src/Node/Connections.ts"
import { layer, layerServer } from "../../src/node.ts"
import { eventually, expectThat } from "../processes/Processes.ts"
import { makeAuthority } from "../Raft/peers/Authority.ts"
import { askTls } from "../support/askTls.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const authority = makeAuthority()
const issued = (over: { readonly validToMs?: number } = {}) => authority.issue({ dnsNames: ["localhost"], ...over })

/** Files that hold a certificate and its key. */
const files = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-server-tls-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  ),
  (directory) => {
    const [certFile, keyFile] = [join(directory, "cert.pem"), join(directory, "key.pem")]
    const write = ({ cert, key }: { readonly cert: string; readonly key: string }) => {
      writeFileSync(certFile, cert)
      writeFileSync(keyFile, key)
    }
    write(issued())
    return { certFile, keyFile, write }
  }
)

/** The port of a node in memory behind a server under TLS. */
const served = (
  tls: { readonly certFile: string; readonly keyFile: string },
  logger = Logger.layer([]),
  connections: Partial<ConnectionLimits> = {}
) =>
  Effect.gen(function* () {
    const node = HttpRouter.serve(Layer.mergeAll(Http.layerApi(), Http.layerHealth), {
      disableLogger: true,
      disableListenLog: true
    }).pipe(
      Layer.provide(Lithair.layer({ models: [Product] })),
      Layer.provide([Lithair.layerMemory, Lithair.layerTest]),
      Layer.provideMerge(layerServer({ port: 0, connections, tls: { certFile: tls.certFile, keyFile: tls.keyFile } })),
      Layer.provide(logger)
    )
    const context = yield* Layer.build(node)
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return (address as NetAddress.InetAddress).port
  })

const ask = askTls(authority.cert)

const isReady = (port: number) =>
  eventually(
    "the node is ready",
    Effect.flatMap(ask(port, "GET", "/readyz"), ({ status }) => expectThat(status === 200, "it is"))
  )

describe("a server under TLS", () => {
  it.live("serves a node as without, and tells a client that speaks no HTTP what is wrong", () =>
    Effect.gen(function* () {
      const port = yield* served(yield* files)
      yield* isReady(port)
      const created = yield* ask(port, "POST", "/api/products", JSON.stringify({ id: "a", name: "Anvil" }))
      assert.strictEqual(created.status, 201)
      const long = yield* ask(port, "POST", "/api/products", JSON.stringify({ id: "b", name: "x".repeat(500_000) }))
      assert.strictEqual(long.status, 201)
      assert.isAbove((yield* ask(port, "GET", "/api/products")).text.length, 500_000)
      const said = yield* Effect.callback<string>((resume) => {
        const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca: authority.cert }, () =>
          socket.write("nonsense\r\n\r\n")
        )
        let text = ""
        socket.on("data", (part: Buffer) => {
          text += part.toString()
        })
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      assert.match(said, /^HTTP\/1\.1 400 /)
    })
  )

  it.live("cuts off who speaks no TLS, and goes on", () =>
    Effect.gen(function* () {
      const port = yield* served(yield* files)
      yield* isReady(port)
      const said = yield* Effect.callback<string>((resume) => {
        const socket = connect(port, "127.0.0.1", () => socket.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        let text = ""
        socket.on("data", (part: Buffer) => {
          text += part.toString("latin1")
        })
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      assert.notMatch(said, /200/)
      assert.strictEqual((yield* ask(port, "GET", "/livez")).status, 200)
    })
  )

  it.live("bounds its connections, and counts none that has ended, however it did", () =>
    Effect.gen(function* () {
      const max = 3
      const port = yield* served(yield* files, Logger.layer([]), { max })
      yield* isReady(port)
      const secure = (then: (socket: Socket) => void) => {
        const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca: authority.cert }, () =>
          then(socket)
        )
        return socket
      }
      const plain = (then: (socket: Socket) => void) => {
        const socket = connect(port, "127.0.0.1", () => then(socket))
        return socket
      }
      const ways: ReadonlyArray<() => Socket> = [
        () => secure((socket) => socket.end()),
        () => secure((socket) => socket.destroy()),
        // The client does not believe the certificate.
        () => connectTls({ host: "127.0.0.1", port }),
        () => plain((socket) => socket.destroy()),
        () => plain((socket) => socket.write("GET / HTTP/1.1\r\n\r\n"))
      ]
      for (const way of ways) {
        for (let count = 0; count < 2 * max; count++) {
          yield* Effect.callback<void>((resume) => {
            const socket = way().on("error", () => {})
            socket.on("close", () => resume(Effect.void)).resume()
          })
        }
        yield* isReady(port)
      }
      const open = Effect.acquireRelease(
        Effect.callback<Socket>((resume) => {
          secure((socket) => resume(Effect.succeed(socket))).on("error", () => {})
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      yield* Effect.replicateEffect(open, max)
      assert.isTrue(yield* Effect.isFailure(ask(port, "GET", "/livez")))
    }).pipe(Effect.scoped)
  )

  it.live("shows a new certificate once it is told, and keeps the former one if the files do not fit", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      const { write, ...own } = yield* files
      const port = yield* served(own, logger)
      yield* isReady(port)
      const before = yield* ask(port, "GET", "/livez")
      const says = (what: RegExp) =>
        eventually(
          () => `it says ${what}: ${lines.join("\n")}`,
          Effect.suspend(() =>
            expectThat(
              lines.some((line) => what.test(line)),
              "it does"
            )
          )
        )
      write({ ...issued(), key: issued().key })
      process.emit("SIGHUP", "SIGHUP")
      yield* says(/stays as it was: The key .* is not the one of the certificate/)
      assert.strictEqual((yield* ask(port, "GET", "/livez")).cert, before.cert)
      write(issued())
      process.emit("SIGHUP", "SIGHUP")
      if ("Bun" in globalThis) {
        yield* says(/is new, and this runtime shows it after a restart/)
        return
      }
      yield* says(/The certificate for clients was read again/)
      assert.notStrictEqual((yield* ask(port, "GET", "/livez")).cert, before.cert)
    })
  )

  it.live("does not begin with files that do not fit, nor where peers would come without TLS", () =>
    Effect.gen(function* () {
      const { certFile, keyFile, write } = yield* files
      const failing = (tls: { readonly certFile: string; readonly keyFile: string }) =>
        Effect.map(Effect.flip(Layer.build(layerServer({ port: 0, tls }))), ({ message }) => message)
      assert.match(yield* failing({ certFile: `${certFile}.none`, keyFile }), /Cannot read/)
      assert.match(yield* failing({ certFile: keyFile, keyFile }), /There is no certificate in/)
      assert.match(yield* failing({ certFile, keyFile: certFile }), /There is no private key in/)
      write(issued({ validToMs: Date.now() - 1_000 }))
      assert.match(yield* failing({ certFile, keyFile }), /was valid until .*: replace it/)
      const peers = [{ id: "b", address: "127.0.0.1:9" }]
      const options = { port: 1, directory: `${certFile}.data`, peers, tls: { certFile, keyFile } }
      const failure = yield* Effect.flip(Layer.build(layer(options)))
      assert.strictEqual(failure._tag, "BadCertificate")
      assert.match(failure.message, /takes no peers/)
    })
  )
})

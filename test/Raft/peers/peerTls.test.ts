/** Peers under TLS: the contract of every transport, who is refused and with which line, and certificates that change. */
import { connect, createServer, type Socket } from "node:net"
import * as tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schedule, Scope } from "effect"
import * as Certificates from "../../../src/Raft/peers/Certificates.ts"
import { greet } from "../../../src/Raft/peers/Greeting.ts"
import { nonceBytes, processNonceBytes, protocolMax, protocolMin } from "../../../src/Raft/peers/Handshake.ts"
import { lanes } from "../../../src/Raft/peers/LinkTable.ts"
import { dialTls, listenTls } from "../../../src/Raft/peers/PeerTls.ts"
import { handshakesOfThisHostMaxCount, makeStrangers } from "../../../src/Raft/peers/Strangers.ts"
import { helloOf, unformed } from "../../../src/Raft/peers/Transport.ts"
import { freePort } from "../../support/freePort.ts"
import { type Authority, type Issued, makeAuthority } from "./Authority.ts"
import { socketNode } from "./SocketNode.ts"
import { directory, tlsNode, writeFiles } from "./TlsNode.ts"
import { record, transportContract } from "./TransportContract.ts"

const authority = makeAuthority()
const foreign = makeAuthority("another authority")

transportContract("PeerSockets.layer under TLS", (membership = {}, starts = {}) =>
  Effect.gen(function* () {
    const path = yield* directory
    const b = yield* tlsNode({
      id: "b",
      files: writeFiles(path, "b", authority.issueFor("b"), [authority]),
      peer: { id: "a", address: "127.0.0.1:1" },
      membership: membership.b,
      starts: starts.b
    })
    const a = yield* tlsNode({
      id: "a",
      files: writeFiles(path, "a", authority.issueFor("a"), [authority]),
      peer: { id: "b", address: b.address },
      membership: membership.a,
      starts: starts.a
    })
    return { a: a.port, b: b.port }
  })
)

/** Keeps the lines that a node warns with. */
const listening = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn" || logLevel === "Error") lines.push(String(message))
  })
  const until = (pattern: RegExp) =>
    Effect.suspend(() => (lines.some((line) => pattern.test(line)) ? Effect.void : Effect.fail("not yet"))).pipe(
      Effect.retry(Schedule.spaced("10 millis")),
      Effect.timeoutOrElse({
        duration: "5 seconds",
        orElse: () => Effect.fail(new Error(`No line is like ${pattern}: ${lines.join(" | ")}`))
      })
    )
  return { lines, until, layer: Logger.layer([logger]) }
}

/** Node `a` dials node `b`; `a` has this certificate and believes these authorities. */
const dialing = Effect.fnUntraced(function* (issued: Issued, believed: ReadonlyArray<Authority> = [authority]) {
  const path = yield* directory
  const [atA, atB] = [listening(), listening()]
  const b = yield* tlsNode({
    id: "b",
    files: writeFiles(path, "b", authority.issueFor("b"), [authority]),
    peer: { id: "a", address: "127.0.0.1:1" }
  }).pipe(Effect.provide(atB.layer))
  const files = writeFiles(path, "a", issued, believed)
  const a = yield* tlsNode({ id: "a", files, peer: { id: "b", address: b.address } }).pipe(Effect.provide(atA.layer))
  return { a, b, atA, atB }
})

const helloFrom = (nodeId: string, targetNodeId: string) =>
  helloOf({
    self: { nodeId, address: "127.0.0.1:1", instanceId: `i${nodeId}`, peers: [] },
    membership: unformed,
    targetNodeId,
    lane: "control",
    protocolMin,
    protocolMax,
    processNonce: new Uint8Array(processNonceBytes),
    nonce: new Uint8Array(nonceBytes)
  })

describe("a peer under TLS", () => {
  it.live("is refused where no authority of the other node vouches for it, with one line on either side", () =>
    Effect.gen(function* () {
      // It trusts the other node, and has a certificate of an authority that the other does not know.
      const { a, atA, atB, b } = yield* dialing(foreign.issueFor("a"), [authority, foreign])
      yield* atB.until(/^A peer's link ended: Refused: no authority of this node vouches for the certificate: \S+$/)
      yield* atA.until(/The peer refused: no authority of this node vouches/)
      assert.strictEqual(a.port.connected().size + b.port.connected().size, 0)
      for (const line of [...atA.lines, ...atB.lines]) assert.strictEqual(line.split("\n").length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("does not speak to a node whose certificate it does not believe", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* dialing(foreign.issueFor("a"), [foreign])
      yield* atA.until(/Cannot keep the \w+ link to b at .*: TLS refuses the peer: [^\n]+$/)
      assert.strictEqual(a.port.connected().size, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is the node that its certificate names, and no other, whichever side dials", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const at = listening()
      // A node that has the certificate of `c`, and says that it is `a`, or `b`.
      const certificates = yield* Certificates.make(writeFiles(path, "c", authority.issueFor("c"), [authority]), "c")
      const honest = yield* tlsNode({
        id: "b",
        files: writeFiles(path, "b", authority.issueFor("b"), [authority]),
        peer: { id: "a", address: "127.0.0.1:1" }
      }).pipe(Effect.provide(at.layer))
      const connection = yield* dialTls(honest.address, certificates, 1_000)
      const dialled = yield* Effect.flip(
        greet({ connection, side: { role: "dialer", hello: helloFrom("a", "b") }, secret: undefined })
      )
      assert.strictEqual(dialled.message, "The peer refused: the certificate of a names c")
      yield* at.until(/^A peer's link ended: Refused: the certificate of a names c$/)

      const port = yield* freePort
      const said: Array<string> = []
      yield* listenTls({
        at: { host: "127.0.0.1", port },
        certificates,
        strangers: makeStrangers(),
        take: (connection) =>
          greet({ connection, side: { role: "acceptor", answer: () => helloFrom("b", "a") }, secret: undefined }).pipe(
            Effect.catch(({ message }) => Effect.sync(() => said.push(message))),
            Effect.asVoid,
            Effect.scoped
          )
      })
      const files = writeFiles(path, "a", authority.issueFor("a"), [authority])
      const a = yield* tlsNode({ id: "a", files, peer: { id: "b", address: `127.0.0.1:${port}` } }).pipe(
        Effect.provide(at.layer)
      )
      yield* at.until(/Cannot keep the \w+ link to b at .*: Refused: the certificate of b names c$/)
      assert.strictEqual(a.port.connected().size, 0)
      assert.include(said, "The peer refused: the certificate of b names c")
    }).pipe(Effect.scoped)
  )

  it.live("is taken in if it proves the secret too", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const secret = "a long secret of the cluster, 12"
      const b = yield* tlsNode({
        id: "b",
        files: writeFiles(path, "b", authority.issueFor("b"), [authority]),
        secret
      })
      yield* Effect.forkScoped(
        b.port.run((event) => {
          if (event._tag === "JoinAsked") event.answer({ _tag: "Joined", clusterId: "c", members: [] })
        })
      )
      const files = writeFiles(path, "d", authority.issueFor("d"), [authority])
      const d = yield* tlsNode({ id: "d", files, secret })
      assert.strictEqual((yield* d.port.join(b.address, null))._tag, "Joined")
      const stranger = yield* tlsNode({ id: "d", files, secret: "another secret of the cluster, 1" })
      assert.match(
        (yield* Effect.flip(stranger.port.join(b.address, null))).message,
        /does not prove the cluster secret/
      )
    }).pipe(Effect.scoped)
  )

  it.live("reaches no plain node, and no plain node reaches it", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const at = listening()
      const secret = "a long secret of the cluster, 12"
      const files = writeFiles(path, "d", authority.issueFor("d"), [authority])
      const d = yield* tlsNode({ id: "d", files, secret }).pipe(Effect.provide(at.layer))
      const plain = yield* socketNode({ id: "e", secret })
      assert.isFalse((yield* Effect.result(plain.port.join(d.address, null)))._tag === "Success")
      const closed = yield* Effect.flip(d.port.join(plain.address, null))
      assert.match(closed.message, /^TLS refuses the peer: [^\n]+$/)
      yield* at.until(/TLS refuses it/)
    }).pipe(Effect.scoped)
  )

  it.live("gets only a share of the handshakes, and one that says nothing is cut", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const b = yield* tlsNode({ id: "b", files: writeFiles(path, "b", authority.issueFor("b"), [authority]) })
      const [, port] = b.address.split(":")
      /** Opens a connection and says nothing. Tells when it is closed. */
      const knock = Effect.acquireRelease(
        Effect.sync(() => {
          const socket = connect({ host: "127.0.0.1", port: Number(port) })
          const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
          socket.on("error", () => {})
          socket.resume()
          return { socket, closed }
        }),
        ({ socket }) => Effect.sync(() => socket.destroy())
      )
      const strangers = yield* Scope.make()
      const silent = yield* Effect.forEach(Array.from({ length: handshakesOfThisHostMaxCount }), () => knock).pipe(
        Scope.provide(strangers)
      )
      yield* Effect.promise(() => Promise.all(silent.map(({ socket }) => untilOpen(socket))))
      const late = yield* knock
      yield* Effect.promise(() => late.closed).pipe(Effect.timeout("1 second"))
      // The others are cut by themselves once their time is over.
      yield* Effect.promise(() => silent[0]!.closed).pipe(Effect.timeout("10 seconds"))
      yield* Scope.close(strangers, Exit.void)
    }).pipe(Effect.scoped)
  )
})

const untilOpen = (socket: ReturnType<typeof connect>) =>
  new Promise<void>((resolve) => (socket.connecting ? socket.once("connect", () => resolve()) : resolve()))

/** Passes connections on to a port, and tells how many are open. */
const relayTo = (port: number) =>
  Effect.gen(function* () {
    const open = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port })
      open.add(near)
      near.once("close", () => open.delete(near))
      for (const [from, to] of [
        [near, far],
        [far, near]
      ] as const) {
        from.pipe(to)
        from.on("error", () => to.destroy())
      }
    })
    const at = yield* freePort
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(at, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.sync(() => {
          server.close()
          for (const socket of open) socket.destroy()
        })
    )
    return { address: `127.0.0.1:${at}`, openCount: () => open.size }
  })

describe("certificates that change", () => {
  it.live("count for a handshake that began before them as the former ones", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const issued = authority.issueFor("b")
      const certificates = yield* Certificates.make(writeFiles(path, "b", issued, [authority]), "b")
      const port = yield* freePort
      const generations: Array<number> = []
      const strangers = makeStrangers()
      let admittedCount = 0
      const listening = yield* listenTls({
        at: { host: "127.0.0.1", port },
        certificates,
        strangers: {
          ...strangers,
          admit: (address) => {
            admittedCount += 1
            return strangers.admit(address)
          }
        },
        take: ({ generation }) => Effect.sync(() => void generations.push(generation))
      })
      const connecting = (before: Effect.Effect<void>) =>
        Effect.gen(function* () {
          const known = admittedCount
          const socket = yield* Effect.acquireRelease(
            Effect.sync(() => connect(port, "127.0.0.1")),
            (opened) => Effect.sync(() => opened.destroy())
          )
          yield* untilThat(() => admittedCount > known)
          yield* before
          const count = generations.length
          const { cert, key } = issued
          tls
            .connect({ socket, cert, key, ca: authority.cert, checkServerIdentity: () => undefined })
            .on("error", () => {})
          yield* untilThat(() => generations.length > count)
        })
      const renewing = Effect.gen(function* () {
        writeFiles(path, "b", authority.issueFor("b"), [authority])
        assert.isTrue(yield* certificates.reload)
        listening.renew()
      })
      yield* connecting(renewing)
      yield* connecting(Effect.void)
      assert.deepStrictEqual(generations, [1, 2])
    }).pipe(Effect.scoped)
  )

  it.live("replace the connections that rest on former ones, without a loss, and new connections use them", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const at = listening()
      const portOfB = yield* freePort
      const filesOfB = writeFiles(path, "b", authority.issueFor("b"), [authority])
      const b = yield* tlsNode({
        id: "b",
        files: filesOfB,
        port: portOfB,
        peer: { id: "a", address: "127.0.0.1:1" }
      }).pipe(Effect.provide(at.layer))
      const relay = yield* relayTo(portOfB)
      const filesOfA = writeFiles(path, "a", authority.issueFor("a"), [authority])
      const a = yield* tlsNode({ id: "a", files: filesOfA, peer: { id: "b", address: relay.address } })
      const [heardByA, heardByB] = [yield* record(a.port), yield* record(b.port)]
      yield* heardByA.until(() => heardByA.count("BulkUp") === 1)
      yield* heardByB.until(() => heardByB.count("BulkUp") === 1)

      // Files that do not fit leave the former ones in use.
      writeFiles(path, "b", { ...authority.issueFor("b"), key: authority.issueFor("b").key }, [authority])
      process.emit("SIGHUP", "SIGHUP")
      yield* at.until(/The certificates of peers stay as they were: The key .* is not the one of the certificate/)
      assert.strictEqual(relay.openCount(), 2)

      // Both get new ones at once, `b` from a new authority, while each sends to the other without a pause.
      writeFiles(path, "a", authority.issueFor("a"), [authority, foreign])
      writeFiles(path, "b", foreign.issueFor("b"), [authority, foreign])
      let sentCount = 0
      const sending = Effect.sync(() => {
        sentCount += 1
        for (const lane of lanes) {
          assert.isTrue(a.port.send("b", lane, { _tag: "HeartbeatReply", term: 1, readNumber: sentCount }))
          assert.isTrue(b.port.send("a", lane, { _tag: "HeartbeatReply", term: 1, readNumber: sentCount }))
        }
      }).pipe(Effect.andThen(Effect.sleep(1)), Effect.forever)
      process.emit("SIGHUP", "SIGHUP")
      yield* Effect.raceFirst(
        sending,
        untilThat(() => relay.openCount() === 0)
      )
      for (const heard of [heardByA, heardByB]) {
        yield* heard.until(() => heard.messages().length === 2 * sentCount)
        assert.strictEqual(heard.count("PeerDown") + heard.count("BulkDown"), 0)
        const numbers = heard.messages().map((message) => (message._tag === "HeartbeatReply" ? message.readNumber : 0))
        assert.strictEqual(new Set(numbers).size, sentCount)
      }

      // A node that believes the new authority alone takes `b` for what it is.
      const filesOfC = writeFiles(path, "0", foreign.issueFor("0"), [foreign])
      const c = yield* tlsNode({ id: "0", files: filesOfC, peer: { id: "b", address: b.address } })
      const heardByC = yield* record(c.port)
      yield* heardByC.until(() => heardByC.count("BulkUp") === 1)
    }).pipe(Effect.scoped)
  )
})

const untilThat = (holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.retry(Schedule.spaced("10 millis")),
    Effect.timeout("10 seconds")
  )

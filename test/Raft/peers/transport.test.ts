/** The transport's contract, on every layer of it. */
import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Logger, Schedule, Scope } from "effect"
import { type OwnStarts, type Start, untold } from "../../../src/EventStore/Start.ts"
import { greet } from "../../../src/Raft/peers/Greeting.ts"
import { nonceBytes, processNonceBytes, protocolMax, protocolMin } from "../../../src/Raft/peers/Handshake.ts"
import { cut, heal, layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { makeLink } from "../../../src/Raft/peers/PeerLink.ts"
import * as PeerListener from "../../../src/Raft/peers/PeerListener.ts"
import type { Lane } from "../../../src/Raft/peers/PeerMessage.ts"
import { handshakesOfThisHostMaxCount } from "../../../src/Raft/peers/Strangers.ts"
import { helloOf, type Membership, Transport, unformed } from "../../../src/Raft/peers/Transport.ts"
import { dialUpgrade, upgradeToken } from "../../../src/Raft/peers/Upgrade.ts"
import { socketNode } from "./SocketNode.ts"
import { record, type StartsOfTwo, transportContract } from "./TransportContract.ts"

const memoryNode = (
  network: MemoryNetwork,
  id: string,
  peer: string,
  membership: Membership,
  starts: OwnStarts = untold
) =>
  Layer.build(
    layerMemory({
      network,
      self: { nodeId: id, address: id, instanceId: `i${id}`, starts, peers: [{ id: peer, address: peer }] },
      membership
    })
  ).pipe(Effect.map(Context.get(Transport)))

const twoMemoryNodes = Effect.fnUntraced(function* (
  network: MemoryNetwork,
  membership: { readonly a?: Membership; readonly b?: Membership },
  starts: StartsOfTwo = {}
) {
  const a = yield* memoryNode(network, "a", "b", membership.a ?? unformed, starts.a)
  const b = yield* memoryNode(network, "b", "a", membership.b ?? unformed, starts.b)
  return { a, b }
})

transportContract("layerMemory", (membership = {}, starts) => twoMemoryNodes(makeMemoryNetwork(), membership, starts))

it.effect("a cut link takes both peers down, and what was on its way is lost with it", () =>
  Effect.gen(function* () {
    const network = makeMemoryNetwork()
    const { a, b } = yield* twoMemoryNodes(network, {})
    const atB = yield* record(b)
    yield* atB.until(() => atB.count("PeerUp") === 1)
    assert.isTrue(a.send("b", "control", { _tag: "HeartbeatReply", term: 1, readNumber: 1 }))
    cut(network, ["a", "b"])
    assert.isFalse(a.send("b", "control", { _tag: "HeartbeatReply", term: 1, readNumber: 2 }))
    heal(network, ["a", "b"])
    assert.isTrue(a.send("b", "control", { _tag: "HeartbeatReply", term: 1, readNumber: 3 }))
    yield* atB.until(() => atB.count("Received") === 1)
    assert.deepStrictEqual(
      atB.events.map((event) => (event._tag === "Received" ? event.message : event._tag)),
      ["PeerUp", "BulkUp", "PeerDown", "PeerUp", "BulkUp", { _tag: "HeartbeatReply", term: 1, readNumber: 3 }]
    )
  })
)

/** The smaller id dials, so only `a` needs an address of the other. */
const twoSocketNodes = Effect.fnUntraced(function* (options: {
  readonly membership?: { readonly a?: Membership; readonly b?: Membership }
  readonly secrets?: { readonly a: string; readonly b: string }
  readonly starts?: StartsOfTwo | undefined
}) {
  const { membership = {}, secrets, starts = {} } = options
  const b = yield* socketNode({
    id: "b",
    peer: { id: "a", address: "127.0.0.1:1" },
    membership: membership.b,
    starts: starts.b,
    ...(secrets === undefined ? {} : { secret: secrets.b })
  })
  const a = yield* socketNode({
    id: "a",
    peer: { id: "b", address: b.address },
    membership: membership.a,
    starts: starts.a,
    ...(secrets === undefined ? {} : { secret: secrets.a })
  })
  return { a: a.port, b: b.port, addressOfB: b.address }
})

/** One lane of node `a`, dialled by hand. */
const greetFrom = Effect.fnUntraced(function* (address: string, lane: Lane, instanceId: string) {
  const self = { nodeId: "a", address: "127.0.0.1:1", instanceId, peers: [] }
  const nonce = new Uint8Array(nonceBytes)
  const processNonce = new Uint8Array(processNonceBytes)
  const versions = { protocolMin, protocolMax }
  const hello = helloOf({ self, membership: unformed, targetNodeId: "b", lane, processNonce, nonce, ...versions })
  const connection = yield* dialUpgrade(`http://${address}${PeerListener.path}`, 1_000)
  return yield* greet({ connection, side: { role: "dialer", hello }, secret: undefined })
})

const dial = Effect.fnUntraced(function* (address: string, lane: Lane, instanceId: string) {
  const link = makeLink(yield* greetFrom(address, lane, instanceId), { lane, generation: 0, dialledBy: "a" })
  yield* Effect.forkScoped(Effect.ignore(link.run(() => {})))
  return link
})

const echo = (term: number) => ({ _tag: "HeartbeatReply", term, readNumber: 1 }) as const

transportContract("PeerSockets.layer", (membership = {}, starts) => twoSocketNodes({ membership, starts }))

transportContract("PeerSockets.layer with a secret", (membership = {}, starts) =>
  twoSocketNodes({ membership, starts, secrets: { a: "s", b: "s" } })
)

describe("PeerSockets", () => {
  it.live("a node whose cluster was superseded hears of it from a proven peer, and only from one", () =>
    Effect.gen(function* () {
      const membership = { clusterId: "new", members: [], formerClusterIds: ["older", "old"] }
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" }, membership, secret: "s" })
      const members = [{ id: "b", address: b.address, instanceId: "ib" }]
      const told = Effect.fnUntraced(function* (id: string, secret: string) {
        const { port } = yield* socketNode({
          id,
          peer: { id: "b", address: b.address },
          membership: { clusterId: "old", members },
          secret
        })
        const heard = yield* record(port)
        const tried = Effect.suspend(() => Effect.fromNullishOr(port.trouble("b")))
        yield* Effect.retry(tried, { schedule: Schedule.spaced("10 millis"), times: 1_000 })
        return heard
      })
      const proven = yield* told("a", "s")
      yield* proven.until(() => proven.count("Superseded") > 0)
      assert.isTrue(proven.events.every((event) => event._tag === "Superseded" && event.by === "new"))
      // The larger id waits to be dialled. Nobody does, so it dials by itself.
      const waiting = yield* told("c", "s")
      yield* waiting.until(() => waiting.count("Superseded") > 0)
      const stranger = yield* told("a", "t")
      assert.deepStrictEqual(stranger.events, [])
      assert.strictEqual(b.port.connected().size, 0)
    })
  )

  it.live("a node says what went wrong with a peer that it cannot reach", () =>
    Effect.gen(function* () {
      const { port } = yield* socketNode({ id: "a", peer: { id: "b", address: "127.0.0.1:1" } })
      const told = Effect.suspend(() => Effect.fromNullishOr(port.trouble("b")))
      const what = yield* Effect.retry(told, { schedule: Schedule.spaced("10 millis"), times: 500 })
      assert.match(what, /127\.0\.0\.1:1|refused/i)
    })
  )

  it.live("a peer with another secret never comes up, and both are told why (D8)", () =>
    Effect.gen(function* () {
      const warned = yield* Deferred.make<string>()
      const logger = Logger.make(({ message }) => {
        const line = String(message)
        if (line.includes("does not prove")) Deferred.doneUnsafe(warned, Effect.succeed(line))
      })
      const { a, b } = yield* twoSocketNodes({ secrets: { a: "s", b: "t" } }).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      const line = yield* Deferred.await(warned).pipe(Effect.timeout("5 seconds"))
      assert.include(line, "a does not prove the cluster secret")
      assert.strictEqual(a.connected().size + b.connected().size, 0)
    })
  )

  it.live("an upgrade that carries Origin, and one that says it was forwarded, are refused (D8)", () =>
    Effect.gen(function* () {
      const { addressOfB } = yield* twoSocketNodes({})
      const statusWith = (headers: Record<string, string>) =>
        Effect.callback<number | string>((resume) => {
          const upgrade = { connection: "Upgrade", upgrade: upgradeToken, ...headers }
          const sent = request(`http://${addressOfB}${PeerListener.path}`, { headers: upgrade })
          sent.on("response", (response) => {
            let body = ""
            response.on("data", (data: Buffer) => {
              body += data.toString()
            })
            response.on("end", () => {
              const { status, type } = JSON.parse(body) as { readonly status: number; readonly type: string }
              resume(Effect.succeed(`${response.statusCode} ${status} ${type}`))
            })
          })
          sent.on("upgrade", (response, socket) => {
            socket.destroy()
            resume(Effect.succeed(response.statusCode ?? 0))
          })
          sent.end()
        })
      const notAPeer = "403 403 urn:lithair:problem:not-a-peer"
      assert.strictEqual(yield* statusWith({ origin: "http://localhost" }), notAPeer)
      // Anybody can write such a header, with any address in it.
      for (const from of ["10.0.0.1", "127.0.0.1"]) {
        assert.strictEqual(yield* statusWith({ "x-forwarded-for": from }), notAPeer)
        assert.strictEqual(yield* statusWith({ forwarded: `for=${from}` }), notAPeer)
      }
      assert.strictEqual(yield* statusWith({}), 101)
    })
  )

  it.live("strangers of one address get only a share of the handshakes, until they leave", () =>
    Effect.gen(function* () {
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
      const knock = dialUpgrade(`http://${b.address}${PeerListener.path}`, 1_000)
      const strangers = yield* Scope.make()
      yield* Effect.forEach(Array.from({ length: handshakesOfThisHostMaxCount }), () => knock).pipe(
        Scope.provide(strangers)
      )
      assert.include((yield* Effect.flip(Effect.scoped(knock))).message, "503")
      yield* Scope.close(strangers, Exit.void)
      yield* Effect.scoped(knock).pipe(Effect.eventually, Effect.timeout("1 second"))
    }).pipe(Effect.scoped)
  )

  it.live("only GET of the path as it is written is for peers, so that a proxy can close it by its name", () =>
    Effect.gen(function* () {
      const { addressOfB } = yield* twoSocketNodes({})
      const [host, port] = addressOfB.split(":")
      const statusOf = (method: string, path: string) =>
        Effect.callback<number | undefined>((resume) => {
          const headers = { connection: "Upgrade", upgrade: upgradeToken }
          const sent = request({ host, port, method, path, headers })
          sent.on("response", (response) => {
            response.resume()
            resume(Effect.succeed(response.statusCode))
          })
          sent.on("upgrade", (response, socket) => {
            socket.destroy()
            resume(Effect.succeed(response.statusCode))
          })
          sent.end()
        })
      for (const path of ["/_RAFT", "/_raft/", "//_raft", "//_raft/", "/%5fraft", "/_raft?x=1", "/_raft;x"]) {
        assert.strictEqual(yield* statusOf("GET", path), 404, path)
      }
      assert.strictEqual(yield* statusOf("HEAD", "/_raft"), 404)
      assert.strictEqual(yield* statusOf("GET", "/_raft"), 101)
    })
  )

  it.live("a member that comes back at another address is dialled there", () =>
    Effect.gen(function* () {
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
      const a = yield* socketNode({ id: "a", peer: { id: "b", address: "127.0.0.1:1" } })
      const atA = yield* record(a.port)
      const members = [{ id: "b", address: b.address, instanceId: "ib" }]
      yield* a.port.announce({ clusterId: null, members })
      yield* atA.until(() => atA.count("PeerUp") === 1)
    })
  )

  it.live("what a former data directory said in one lane is not taken for its successor's in the other (C16)", () =>
    Effect.gen(function* () {
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
      const atB = yield* record(b.port)
      const former = yield* dial(b.address, "bulk", "ia")
      const control = yield* dial(b.address, "control", "ia2")
      yield* atB.until(() => atB.count("PeerUp") === 1)
      assert.isTrue(former.send(echo(1)))
      const successor = yield* dial(b.address, "bulk", "ia2")
      assert.isTrue(successor.send(echo(2)))
      assert.isTrue(control.send(echo(2)))
      yield* atB.until(() => atB.count("Received") === 2)
      const received = atB.events.filter(({ _tag }) => _tag === "Received")
      assert.isTrue(
        received.every(
          (event) => event._tag === "Received" && event.message._tag === "HeartbeatReply" && event.message.term === 2
        )
      )
    }).pipe(Effect.scoped)
  )

  it.live("a bulk lane that drops alone is told, and so is the one that is dialled in its place", () =>
    Effect.gen(function* () {
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
      const atB = yield* record(b.port)
      const tags = () => atB.events.map(({ _tag }) => _tag)
      yield* dial(b.address, "control", "ia")
      yield* atB.until(() => atB.count("PeerUp") === 1)
      const first = yield* Scope.make()
      yield* dial(b.address, "bulk", "ia").pipe(Scope.provide(first))
      yield* atB.until(() => atB.count("BulkUp") === 1)
      yield* Scope.close(first, Exit.void)
      yield* atB.until(() => atB.count("BulkDown") === 1)
      assert.isFalse(b.port.send("a", "bulk", echo(1)))
      yield* dial(b.address, "bulk", "ia")
      yield* atB.until(() => atB.count("BulkUp") === 2)
      assert.isTrue(b.port.send("a", "bulk", echo(1)))
      assert.deepStrictEqual(tags(), ["PeerUp", "BulkUp", "BulkDown", "BulkUp"])
    }).pipe(Effect.scoped)
  )

  it.live("a copy of a data directory is refused while its original answers, and so is what it says", () =>
    Effect.gen(function* () {
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
      const atB = yield* record(b.port)
      const first = yield* Scope.make()
      const original = yield* socketNode({ id: "a", peer: { id: "b", address: b.address } }).pipe(Scope.provide(first))
      yield* atB.until(() => atB.count("BulkUp") === 1)
      const refused = yield* Deferred.make<string>()
      const logger = Logger.make(({ message }) => {
        const line = String(message)
        if (line.includes("copy of its data directory")) Deferred.doneUnsafe(refused, Effect.succeed(line))
      })
      const copy = yield* socketNode({ id: "a", peer: { id: "b", address: b.address } }).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      const insisting = Effect.sync(() => copy.port.send("b", "control", echo(2))).pipe(
        Effect.delay("10 millis"),
        Effect.forever
      )
      yield* Effect.raceFirst(Deferred.await(refused), insisting).pipe(Effect.timeout("5 seconds"))
      assert.isTrue(original.port.send("b", "control", echo(1)))
      yield* atB.until(() => atB.count("Received") === 1)
      assert.deepStrictEqual(
        atB.events.map((event) => (event._tag === "Received" ? event.message : event._tag)),
        ["PeerUp", "BulkUp", echo(1)]
      )
      // It is the only one once the original is gone: as a node that was started again.
      yield* Scope.close(first, Exit.void)
      yield* atB.until(() => atB.count("PeerUp") === 2)
    }).pipe(Effect.scoped)
  )

  it.live(
    "a link that waited for another process is asked again about the start that the members name by then (C27)",
    () =>
      Effect.gen(function* () {
        const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } })
        const atB = yield* record(b.port)
        // It hangs, so the node waits for its answer before another process takes its place.
        yield* greetFrom(b.address, "control", "ia")
        yield* atB.until(() => atB.count("PeerUp") === 1)
        const starts = { current: { life: 2, nonce: "c2" }, includes: ({ nonce }: Start) => nonce !== "a2" }
        const copy = yield* socketNode({ id: "a", peer: { id: "b", address: b.address }, starts })
        const atCopy = yield* record(copy.port)
        yield* atCopy.until(() => atCopy.count("BulkUp") === 1)
        // Once a later handshake is over, the node has taken the copy's links too.
        const later = yield* socketNode({ id: "a2", peer: { id: "b", address: b.address } })
        const atLater = yield* record(later.port)
        yield* atLater.until(() => atLater.count("BulkUp") === 1)
        const members = [{ id: "a", address: "127.0.0.1:1", instanceId: "ia", start: { life: 2, nonce: "a2" } }]
        yield* b.port.announce({ clusterId: null, members })
        yield* atCopy.until(() => atCopy.count("Copied") > 0)
        assert.isFalse(b.port.connected().has("a"))
      }).pipe(Effect.scoped)
  )

  it.live("a peer that stops goes down", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const b = yield* socketNode({ id: "b", peer: { id: "a", address: "127.0.0.1:1" } }).pipe(Scope.provide(first))
      const a = yield* socketNode({ id: "a", peer: { id: "b", address: b.address } })
      const atA = yield* record(a.port)
      yield* atA.until(() => atA.count("PeerUp") === 1)
      yield* Scope.close(first, Exit.void)
      yield* atA.until(() => atA.count("PeerDown") === 1)
      assert.isFalse(a.port.send("b", "control", { _tag: "HeartbeatReply", term: 1, readNumber: 1 }))
    })
  )
})

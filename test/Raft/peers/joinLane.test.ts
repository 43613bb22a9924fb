/** Joining over real sockets: both sides prove the secret first, nobody sends it, and nobody can send a join again. */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Logger } from "effect"
import { greet } from "../../../src/Raft/peers/Greeting.ts"
import type { Hello } from "../../../src/Raft/peers/Handshake.ts"
import { nonceBytes, processNonceBytes, protocolMax, protocolMin } from "../../../src/Raft/peers/Handshake.ts"
import { readReply } from "../../../src/Raft/peers/JoinLane.ts"
import { decodeJoinReply, type JoinReply, joinReplyFrame } from "../../../src/Raft/peers/JoinReply.ts"
import { path } from "../../../src/Raft/peers/PeerListener.ts"
import { helloOf, unformed } from "../../../src/Raft/peers/Transport.ts"
import { dialUpgrade } from "../../../src/Raft/peers/Upgrade.ts"
import { lengthBytes } from "../../../src/Raft/peers/WireFrame.ts"
import { socketNode } from "./SocketNode.ts"

const secret = "a long secret of the cluster, 12"
const members = [{ id: "b", address: "127.0.0.1:2", instanceId: "ib" }]
const joined: JoinReply = { _tag: "Joined", clusterId: "c", members }

/** A member that takes in every node that proves the secret, and what it logs and hears. */
const member = Effect.fnUntraced(function* (own: string | undefined = secret) {
  const asked: Array<Hello> = []
  const lines: Array<string> = []
  const refused = yield* Deferred.make<void>()
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
    if (String(message).includes("does not prove")) Deferred.doneUnsafe(refused, Effect.void)
  })
  const node = yield* socketNode({
    id: "b",
    membership: { clusterId: "c", members },
    ...(own === undefined ? {} : { secret: own })
  }).pipe(Effect.provide(Logger.layer([logger])))
  yield* Effect.forkScoped(
    node.port.run((event) => {
      if (event._tag !== "JoinAsked") return
      asked.push(event.hello)
      event.answer(joined)
    })
  )
  return { address: node.address, asked, lines, refused }
})

const joiner = (own: string | undefined = secret, id = "d") =>
  Effect.map(socketNode({ id, ...(own === undefined ? {} : { secret: own }) }), ({ port }) => port)

describe("joining over sockets", () => {
  it.live("a node that proves the secret is told the cluster, and the member knows who it is", () =>
    Effect.gen(function* () {
      const { address, asked } = yield* member()
      const node = yield* joiner()
      assert.deepStrictEqual(yield* node.join(address, null), joined)
      assert.deepStrictEqual(
        asked.map(({ instanceId, lane, nodeId, targetNodeId }) => [nodeId, instanceId, lane, targetNodeId]),
        [["d", "id", "join", ""]]
      )
    }).pipe(Effect.scoped)
  )

  for (const [what, atNode, atMember] of [
    ["another secret", "another secret of the cluster, 1", secret],
    ["no secret", undefined, secret],
    ["a secret where the member has none", secret, undefined]
  ] as const) {
    it.live(`a node with ${what} is refused with one line on either side`, () =>
      Effect.gen(function* () {
        const { address, asked, lines, refused } = yield* member(atMember ?? "")
        const node = yield* joiner(atNode ?? "")
        const closed = yield* Effect.flip(node.join(address, null))
        assert.isTrue(closed._tag === "LinkClosed" && closed.refused)
        assert.match(closed.message, /d does not prove the cluster secret$/)
        yield* Deferred.await(refused).pipe(Effect.timeout("5 seconds"))
        assert.deepStrictEqual(asked, [])
        assert.deepStrictEqual(
          lines.filter((line) => line.includes("does not prove")),
          ["A peer's link ended: Refused: d does not prove the cluster secret"]
        )
      }).pipe(Effect.scoped)
    )
  }

  it.live("what a node sent when it joined takes nobody in a second time, and no secret is in it", () =>
    Effect.gen(function* () {
      const { address, asked, refused } = yield* member()
      const sent: Array<Buffer> = []
      const connection = yield* dialUpgrade(`http://${address}${path}`, 1_000)
      const { stream } = connection
      const write = stream.write.bind(stream)
      stream.write = ((chunk: Buffer) => {
        sent.push(Buffer.from(chunk))
        return write(chunk)
      }) as typeof stream.write
      const self = { nodeId: "d", address: "127.0.0.1:9", instanceId: "i", peers: [] }
      const hello = helloOf({
        self,
        membership: unformed,
        targetNodeId: "",
        lane: "join",
        protocolMin,
        protocolMax,
        processNonce: new Uint8Array(processNonceBytes),
        nonce: new Uint8Array(nonceBytes)
      })
      const greeted = yield* greet({ connection, side: { role: "dialer", hello }, secret })
      assert.deepStrictEqual(yield* readReply(greeted), joined)
      const bytes = Buffer.concat(sent)
      assert.notInclude(bytes.toString("latin1"), secret)

      const said = yield* replay(address, bytes)
      assert.include(said, "d does not prove the cluster secret")
      yield* Deferred.await(refused).pipe(Effect.timeout("5 seconds"))
      assert.strictEqual(asked.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("a node of the member's own id, and one of another cluster, are refused for good", () =>
    Effect.gen(function* () {
      const { address, asked } = yield* member()
      const twin = yield* Effect.flip((yield* joiner(secret, "b")).join(address, null))
      assert.match(twin.message, /both nodes have the id b: give the one that joins another id/)
      const foreign = yield* Effect.flip((yield* joiner()).join(address, "other"))
      assert.match(foreign.message, /wrong cluster/)
      assert.isTrue(twin.refused && foreign.refused)
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.scoped)
  )

  it.live("a member that does not run yet says so, and an address without one of this release ends it", () =>
    Effect.gen(function* () {
      const started = yield* socketNode({ id: "b", secret })
      const node = yield* joiner()
      assert.deepStrictEqual(yield* node.join(started.address, null), {
        _tag: "NotJoined",
        isFinal: false,
        message: "it has just started"
      })
      const elsewhere = yield* Effect.flip((yield* joiner("")).join("127.0.0.1:1", null))
      assert.isFalse(elsewhere.refused)
    }).pipe(Effect.scoped)
  )

  it("an answer survives the wire, and is refused when cut at any byte", () => {
    const replies: ReadonlyArray<JoinReply> = [
      joined,
      { _tag: "NotJoined", isFinal: true, message: "full" },
      { _tag: "NotJoined", isFinal: false, message: "" }
    ]
    for (const reply of replies) {
      const frame = joinReplyFrame(reply).subarray(lengthBytes)
      assert.deepStrictEqual(decodeJoinReply(frame), reply)
      for (let length = 0; length < frame.length; length++) {
        assert.strictEqual(decodeJoinReply(frame.subarray(0, length))._tag, "Malformed", `cut at ${length}`)
      }
    }
  })
})

/** Sends these bytes on a new connection, and gives what comes back until it ends. */
const replay = (address: string, bytes: Buffer) =>
  Effect.callback<string>((resume) => {
    const [host = "", port = ""] = address.split(":")
    const socket = connect({ host, port: Number(port) })
    let said = ""
    let isUpgraded = false
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${address}\r\nConnection: Upgrade\r\nUpgrade: lithair-peer\r\n\r\n`)
    socket.on("data", (chunk) => {
      said += chunk.toString("latin1")
      if (isUpgraded || !said.includes("\r\n\r\n")) return
      isUpgraded = true
      socket.write(bytes)
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(said)))
    socket.on("end", () => socket.end())
  })

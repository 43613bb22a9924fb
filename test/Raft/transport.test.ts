/** The transport's contract, on every layer of it. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { cut, heal, layerMemory, type MemoryNetwork, makeMemoryNetwork } from "../../src/Raft/MemoryNetwork.ts"
import { type Membership, Transport, unformed } from "../../src/Raft/Transport.ts"
import { record, transportContract } from "./TransportContract.ts"

const memoryNode = (network: MemoryNetwork, id: string, peer: string, membership: Membership) =>
  Layer.build(
    layerMemory({
      network,
      self: { nodeId: id, address: id, instanceId: `i${id}`, peers: [{ id: peer, address: peer }] },
      membership
    })
  ).pipe(Effect.map(Context.get(Transport)))

const twoMemoryNodes = Effect.fnUntraced(function* (
  network: MemoryNetwork,
  membership: { readonly a?: Membership; readonly b?: Membership }
) {
  const a = yield* memoryNode(network, "a", "b", membership.a ?? unformed)
  const b = yield* memoryNode(network, "b", "a", membership.b ?? unformed)
  return { a, b }
})

transportContract("layerMemory", (membership = {}) => twoMemoryNodes(makeMemoryNetwork(), membership))

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
      ["PeerUp", "PeerDown", "PeerUp", { _tag: "HeartbeatReply", term: 1, readNumber: 3 }]
    )
  })
)

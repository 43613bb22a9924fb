/**
 * Records where members run. A member that was started at another address is the same member: its id and its data
 * directory are what counts. The leader learns the address from the hello of the proven peer, or of itself, and writes
 * it to the log, so that all members find it there from then on. One address at a time, as any change of the members.
 */
import { Effect } from "effect"
import { type ConfigurationMember, membersOf } from "../Raft/core/Configuration.ts"
import type { RaftNode } from "../Raft/node/RaftNode.ts"
import type { Hello } from "../Raft/peers/Handshake.ts"
import { type Self, Transport } from "../Raft/peers/Transport.ts"

const lookIntervalMs = 1_000
const timeoutMs = 5_000

/** The first member that is at another address than the configuration says, and this address. Pure. */
export const movedMember = (
  members: ReadonlyArray<ConfigurationMember>,
  self: Pick<Self, "address" | "instanceId" | "nodeId">,
  connected: ReadonlyMap<string, Pick<Hello, "address" | "instanceId">>
): { readonly id: string; readonly from: string; readonly to: string } | undefined => {
  for (const { address, id, instanceId } of members) {
    const found = id === self.nodeId ? self : connected.get(id)
    // Another data directory is another member, whatever its id (C16).
    if (found !== undefined && found.instanceId === instanceId && found.address !== address) {
      return { id, from: address, to: found.address }
    }
  }
  return undefined
}

/** Records moves while this node leads, for ever. */
export const follow = Effect.fnUntraced(function* (options: {
  readonly self: Self
  readonly node: Pick<RaftNode<never, unknown>, "changeMembers" | "core">
}) {
  const { node, self } = options
  const transport = yield* Transport
  const look = Effect.gen(function* () {
    if (node.core.role._tag !== "Leader") return
    const moved = movedMember(membersOf(node.core.configuration), self, transport.connected())
    if (moved === undefined) return
    const { from, id, to } = moved
    const done = yield* Effect.option(node.changeMembers({ change: { _tag: "Move", id, address: to } }, timeoutMs))
    // A change that is refused or lost now is tried again.
    if (done._tag === "Some" && done.value._tag === "Done")
      yield* Effect.logInfo(`${id} has moved from ${from} to ${to}`)
  })
  return yield* Effect.forever(Effect.andThen(Effect.sleep(lookIntervalMs), look))
})

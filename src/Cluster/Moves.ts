/**
 * Records where members run, and with which start of their data directories. A member that was started at another
 * address is the same member: its id and its data directory are what counts. The leader learns both from the proven
 * peer, or of itself, and writes them to the log, so that all members find them there from then on: the address to dial,
 * and the start by which they tell the directory from a copy (C27).
 */
import { Effect } from "effect"
import { isSameStart, untold } from "../EventStore/Start.ts"
import { type ConfigurationMember, membersOf } from "../Raft/core/Configuration.ts"
import type { Move } from "../Raft/core/MembershipChange.ts"
import type { RaftNode } from "../Raft/node/RaftNode.ts"
import type { Hello } from "../Raft/peers/Handshake.ts"
import { type Introduced, unintroduced } from "../Raft/peers/Introduction.ts"
import { type Self, Transport } from "../Raft/peers/Transport.ts"

const lookIntervalMs = 1_000
const timeoutMs = 5_000

/** What a leader knows of the members' addresses and directories. */
export interface Known {
  readonly members: ReadonlyArray<ConfigurationMember>
  readonly self: Pick<Self, "address" | "instanceId" | "nodeId" | "starts">
  readonly connected: ReadonlyMap<string, Pick<Hello, "address" | "instanceId">>
  readonly introduced: ReadonlyMap<string, Introduced>
  /** Whether the log may hold starts. */
  readonly isRecording: boolean
}

/** What the log does not say yet of members that are connected. Pure. */
export const movesOf = ({ connected, introduced, isRecording, members, self }: Known): ReadonlyArray<Move> => {
  const { current, includes } = self.starts ?? untold
  // Nobody else could meet a copy of the only member's directory.
  const mayRecord = isRecording && members.length > 1
  return members.flatMap(({ address, id, instanceId, start: recorded }): ReadonlyArray<Move> => {
    const isSelf = id === self.nodeId
    const found = isSelf ? self : connected.get(id)
    // Another data directory is another member, whatever its id (C16).
    if (found === undefined || found.instanceId !== instanceId) return []
    const { start, told } = isSelf
      ? { start: current, told: recorded !== undefined && includes(recorded) ? recorded : undefined }
      : (introduced.get(id) ?? unintroduced)
    const isKnown = isSameStart(recorded, start)
    // The directory has not shown that it has the recorded start: the link is opened anew, and then it does or is a copy.
    // A peer that tells no start speaks an older protocol, or its disk was full.
    if (start !== undefined && !isKnown && !isSameStart(recorded, told)) return []
    const isStart = mayRecord && start !== undefined && !isKnown
    if (found.address === address && !isStart) return []
    return [{ id, address: found.address, ...(isStart ? { start } : {}) }]
  })
}

/** Records moves while this node leads, for ever. */
export const follow = Effect.fnUntraced(function* (options: {
  readonly self: Self
  readonly node: Pick<RaftNode<never, unknown>, "changeMembers" | "core">
  readonly isRecording: () => boolean
}) {
  const { isRecording, node, self } = options
  const transport = yield* Transport
  const look = Effect.gen(function* () {
    if (node.core.role._tag !== "Leader") return
    const members = membersOf(node.core.configuration)
    const connected = transport.connected()
    const known = { members, self, connected, introduced: transport.introduced(), isRecording: isRecording() }
    const moves = movesOf(known)
    if (moves.length === 0) return
    const done = yield* Effect.option(node.changeMembers({ change: { _tag: "Move", moves } }, timeoutMs))
    // A change that is refused or lost now is tried again.
    if (done._tag !== "Some" || done.value._tag !== "Done") return
    for (const { address, id, start } of moves) {
      const former = members.find((member) => member.id === id)?.address
      if (former !== address) yield* Effect.logInfo(`${id} has moved from ${former} to ${address}`)
      if (start !== undefined) yield* Effect.logInfo(`${id} runs with start ${start.life} of its data directory`)
    }
  })
  return yield* Effect.forever(Effect.andThen(Effect.sleep(lookIntervalMs), look))
})

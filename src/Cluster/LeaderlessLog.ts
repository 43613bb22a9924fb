/**
 * Tells the operator of a node without a leader what it knows of each peer: the address at which it looks for the peer,
 * whether they are connected, and what went wrong otherwise. It decides nothing.
 */
import { Effect } from "effect"
import { type Configuration, isVoter, membersOf } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import { Transport } from "../Raft/peers/Transport.ts"

/** After so long without a leader the node says why there may be none. Elections take less. */
export const leaderlessExplainMs = 5_000
/** It says so again after so long. */
export const leaderlessRepeatMs = 30_000
const lookIntervalMs = 1_000

/** A peer as this node knows it. */
export interface KnownPeer {
  readonly id: NodeId
  readonly address: string
  readonly isVoter: boolean
  readonly isConnected: boolean
  readonly trouble: string | undefined
}

/** One line for each peer, below a line that says what a leader needs. Pure. */
export const explanation = (nodeId: NodeId, peers: ReadonlyArray<KnownPeer>, forMs: number): string => {
  const voters = peers.filter((peer) => peer.isVoter)
  const connected = voters.filter((peer) => peer.isConnected)
  const needs = `This node is connected to ${connected.length} of the ${voters.length} other voters`
  const lines = peers.map(({ address, id, isConnected, isVoter, trouble }) => {
    const state = isConnected
      ? "connected"
      : `not connected: ${trouble ?? "it has not called, and this node waits for it"}`
    return `  ${id} at ${address}${isVoter ? "" : " (learner)"}: ${state}`
  })
  return [`${nodeId} has known no leader for ${Math.round(forMs / 1_000)} s. ${needs}`, ...lines].join("\n")
}

/** Logs, for ever, while this node knows no leader. */
export const explain = Effect.fnUntraced(function* (options: {
  readonly nodeId: NodeId
  readonly leader: () => NodeId | undefined
  readonly configuration: () => Configuration
}) {
  const transport = yield* Transport
  const peers = (): ReadonlyArray<KnownPeer> => {
    const configuration = options.configuration()
    const connected = transport.connected()
    return membersOf(configuration)
      .filter(({ id }) => id !== options.nodeId)
      .map(({ address, id }) => ({
        id,
        address,
        isVoter: isVoter(configuration, id),
        isConnected: connected.has(id),
        trouble: transport.trouble(id)
      }))
  }
  let leaderlessMs = 0
  let nextMs = leaderlessExplainMs
  while (true) {
    yield* Effect.sleep(lookIntervalMs)
    if (options.leader() !== undefined) {
      leaderlessMs = 0
      nextMs = leaderlessExplainMs
      continue
    }
    leaderlessMs += lookIntervalMs
    if (leaderlessMs < nextMs) continue
    nextMs = leaderlessMs + leaderlessRepeatMs
    yield* Effect.logWarning(explanation(options.nodeId, peers(), leaderlessMs))
  }
})

/**
 * Decides which peers a member listens to, and where each message goes: to the core or to forwarding. It tells a peer
 * without a cluster of this one, and tells a former member that it was removed. PeerSockets.ts has the sockets.
 */
import { Effect } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { Start } from "../EventStore/Start.ts"
import { type Configuration, type ConfigurationMember, membersOf } from "../Raft/core/Configuration.ts"
import { mayTake } from "../Raft/core/Instances.ts"
import type { Message, NodeId } from "../Raft/core/Message.ts"
import type { StateReport } from "../Raft/core/StateComparison.ts"
import type { Hello } from "../Raft/peers/Handshake.ts"
import type { JoinAsked } from "../Raft/peers/JoinLane.ts"
import type { HistoryGiven, HistoryWanted, PeerMessage, SnapshotWanted } from "../Raft/peers/PeerMessage.ts"
import { Transport, type TransportEvent } from "../Raft/peers/Transport.ts"
import type { PeerLines } from "./PeerLines.ts"

/**
 * How often it tells a peer again of a cluster that the peer lacks or was removed from. The peer may have missed it
 * before.
 */
const tellIntervalMs = 1_000

export interface PeeringOptions {
  readonly clusterId: string
  /** The entry that formed the cluster, if this log reaches back to it. */
  readonly firstEntry: LogEntry | undefined
  readonly configuration: () => Configuration
  /** The index of the committed configuration that does not name this peer, if there is one. */
  readonly excludedAt: (peer: Pick<ConfigurationMember, "id" | "instanceId">) => number | undefined
  /** A peer reports a committed configuration that does not name this node. */
  readonly onNotAMember: (from: NodeId, configurationIndex: number) => void
  /** A proven node asks to be taken in. */
  readonly onJoin: (asked: JoinAsked) => void
  /** This cluster took the place of this node's. */
  readonly onSuperseded: (by: string) => void
  /** A peer knows this later start of this node's data directory. */
  readonly onCopied: (later: Start) => void
  /** The link to this peer broke, or its lane for entries and requests. Messages under way may be lost. */
  readonly onDown: (peer: NodeId) => void
  /** From now on a member of this cluster can be sent entries and requests. */
  readonly onReachable: (peer: NodeId) => void
  readonly onMessage: (from: NodeId, message: Message) => void
  /** A member reports its state, or asks for the state of this node. */
  readonly onState: (from: NodeId, message: StateReport | SnapshotWanted) => void
  /** A member asks for history, or answers. */
  readonly onHistory: (from: NodeId, message: HistoryWanted | HistoryGiven) => void
  readonly onForward: (from: NodeId, message: PeerMessage & { readonly _tag: "Forward" | "ForwardReply" }) => void
  /** Hears which peers of this cluster are connected. */
  readonly lines: PeerLines
}

/** Listens until it is interrupted. */
export const listen = Effect.fnUntraced(function* (options: PeeringOptions) {
  const { clusterId, configuration, firstEntry } = options
  const transport = yield* Transport
  const up = new Map<NodeId, Hello>()

  const propose = (peer: NodeId): void => {
    if (firstEntry !== undefined) transport.send(peer, "control", { _tag: "Form", clusterId, entry: firstEntry })
  }
  /**
   * Tells a peer that it was removed while it was away. No leader sends entries to it, so no other message would tell
   * it.
   */
  const tellExcluded = (peer: NodeId, { instanceId }: Hello): void => {
    const configurationIndex = options.excludedAt({ id: peer, instanceId })
    if (configurationIndex !== undefined) transport.send(peer, "control", { _tag: "NotAMember", configurationIndex })
  }
  const isMember = (peer: NodeId, { instanceId }: Hello): boolean =>
    membersOf(configuration()).some((member) => member.id === peer && member.instanceId === instanceId)
  const onEvent = (event: TransportEvent): void => {
    switch (event._tag) {
      case "PeerUp":
        if (event.hello.clusterId === null) propose(event.peer)
        else {
          up.set(event.peer, event.hello)
          options.lines.up(event.peer, event.hello.address)
          tellExcluded(event.peer, event.hello)
        }
        return
      case "PeerDown":
        if (up.delete(event.peer)) options.lines.down(event.peer, event.why)
        options.onDown(event.peer)
        return
      case "BulkDown":
        options.onDown(event.peer)
        return
      case "Superseded":
        options.onSuperseded(event.by)
        return
      case "Copied":
        options.onCopied(event.later)
        return
      case "JoinAsked":
        options.onJoin(event)
        return
      case "BulkUp":
        if (up.has(event.peer)) options.onReachable(event.peer)
        return
      case "Received": {
        const hello = up.get(event.from)
        // C15: this node takes no messages from a node outside its cluster.
        if (hello === undefined) return
        const { from, message } = event
        if (message._tag === "Form" || message._tag === "FormReply") return
        if (message._tag === "NotAMember") {
          options.onNotAMember(from, message.configurationIndex)
          return
        }
        if (message._tag === "StateReport" || message._tag === "SnapshotWanted") {
          if (isMember(from, hello)) options.onState(from, message)
          return
        }
        if (message._tag === "HistoryWanted" || message._tag === "HistoryGiven") {
          if (isMember(from, hello)) options.onHistory(from, message)
          return
        }
        if (message._tag === "Forward" || message._tag === "ForwardReply") {
          options.onForward(from, message)
          return
        }
        // Checked for every message, since a link outlives the configuration under which it was opened (C16).
        if (mayTake(configuration(), { id: from, instanceId: hello.instanceId }, message))
          options.onMessage(from, message)
      }
    }
  }
  const tellAgain = Effect.sync(() => {
    for (const [peer, hello] of transport.connected()) {
      if (hello.clusterId === null) propose(peer)
      else tellExcluded(peer, hello)
    }
  }).pipe(Effect.delay(tellIntervalMs), Effect.forever)

  return yield* Effect.raceFirst(transport.run(onEvent), tellAgain)
})

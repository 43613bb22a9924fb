/** Sends the core's messages to peers: each in its lane, and those for which somebody waits before the end of the turn. */
import { isNotice, type Message, type NodeId } from "../core/Message.ts"
import type { Transport } from "../peers/Transport.ts"
import { laneOf } from "./laneOf.ts"
import * as RepairTold from "./RepairTold.ts"

export interface PeerSending {
  readonly send: (peer: NodeId, message: Message) => void
  /** Call it before long work. Messages leave now, unless all are notices, which leave at the end of the turn. */
  readonly flush: () => void
}

export const make = (options: {
  readonly transport: Pick<Transport["Service"], "connected" | "flush" | "send">
  /** A message leaves. */
  readonly onSend: (peer: NodeId, message: Message) => void
  /** Entries to this peer never left. A leader counts on what it has sent, so it must take them for lost. */
  readonly onUnsent: (peer: NodeId) => void
}): PeerSending => {
  const { onSend, onUnsent, transport } = options
  let isAwaited = false
  return {
    send: (peer, message) => {
      if (message._tag === "Repair" && !RepairTold.isKnownTo(transport, peer)) return
      if (!isNotice(message)) isAwaited = true
      onSend(peer, message)
      const isTaken = transport.send(peer, laneOf(message), message)
      if (!isTaken && message._tag === "AppendEntries") onUnsent(peer)
    },
    flush: () => {
      if (isAwaited) transport.flush()
      isAwaited = false
    }
  }
}

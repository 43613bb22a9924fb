/**
 * How long messages take to a peer and back, as a leader sees it: the time from a beat to its echo, through both sockets
 * and the turns of both nodes. It times one beat of each peer at once, so that many rounds of reads cost next to nothing.
 */
import { isNotice, type Message, type NodeId } from "../core/Message.ts"
import { secondsBetween } from "./Histogram.ts"

/** The weight of the newest time in the average (RFC 6298 §2). */
const newestWeight = 1 / 8

/** The round trips to the peers of one leader. */
export interface RoundTrips {
  readonly sent: (peer: NodeId, message: Message) => void
  readonly received: (peer: NodeId, message: Message) => void
  /** Forgets all: this node does not lead. */
  readonly forget: () => void
  /**
   * The smoothed time, in seconds; or how long the peer has owed an echo, if that is longer. Undefined if this node has sent
   * it no beat.
   */
  readonly secondsOf: (peer: NodeId) => number | undefined
}

interface OfPeer {
  smoothedSeconds: number | undefined
  /** The beat that is timed; undefined if the peer owes no echo. */
  beat: { readonly readNumber: number; readonly sentNanos: bigint } | undefined
}

export const make = (nowNanos: () => bigint): RoundTrips => {
  const peers = new Map<NodeId, OfPeer>()
  return {
    sent: (peer, message) => {
      if (message._tag !== "Heartbeat" || isNotice(message)) return
      const known = peers.get(peer) ?? { smoothedSeconds: undefined, beat: undefined }
      peers.set(peer, known)
      known.beat ??= { readNumber: message.readNumber, sentNanos: nowNanos() }
    },
    received: (peer, message) => {
      if (message._tag !== "HeartbeatReply") return
      const known = peers.get(peer)
      if (known?.beat === undefined || message.readNumber < known.beat.readNumber) return
      // The echo of a later beat says that the timed one, or its echo, was lost.
      if (message.readNumber === known.beat.readNumber) {
        const seconds = secondsBetween(known.beat.sentNanos, nowNanos())
        const { smoothedSeconds = seconds } = known
        known.smoothedSeconds = smoothedSeconds + newestWeight * (seconds - smoothedSeconds)
      }
      known.beat = undefined
    },
    forget: () => peers.clear(),
    secondsOf: (peer) => {
      const known = peers.get(peer)
      if (known === undefined) return undefined
      const { beat, smoothedSeconds } = known
      const owedSeconds = beat === undefined ? 0 : secondsBetween(beat.sentNanos, nowNanos())
      return Math.max(smoothedSeconds ?? 0, owedSeconds)
    }
  }
}

/**
 * Collects the JSON texts of one turn for each peer, and sends them together: a frame, an encoding and a parse for each
 * would cost more than the rest of forwarding. Forwarding.ts says what the texts are.
 */
import type { NodeId } from "../Raft/core/Message.ts"
import { forwardBodyMaxBytes, forwardMaxCount } from "../Raft/peers/Wire.ts"

/** The longest text: the brackets of the list must fit into the body too. */
export const textMaxBytes = forwardBodyMaxBytes - 2
/** Texts share a body up to this size. A longer one travels alone. */
const togetherMaxBytes = 256 * 1024

/** The text of a request or an answer, on its way to a peer. */
export interface Queued {
  /** The life of the node that made the request, and its number of the request. */
  readonly life: number
  readonly requestId: number
  /** JSON of at most {@link textMaxBytes}, and its length in UTF-8. */
  readonly text: string
  readonly bytes: number
}

/** Texts of one peer and one life that leave together. */
export interface Together {
  readonly life: number
  readonly requestIds: ReadonlyArray<number>
  /** A JSON list of the texts, in the order of `requestIds`. */
  readonly body: Uint8Array
}

/** The queue of one kind of message. */
export interface ForwardQueue {
  readonly add: (to: NodeId, queued: Queued) => void
  /** Sends all texts that are still wanted. Call it after `ring`, at the end of a turn; earlier is no harm. */
  readonly sendAll: () => void
}

/** `ring` is called by the first text of a turn. */
export const make = (options: {
  readonly ring: () => void
  readonly isWanted: (queued: Queued) => boolean
  readonly send: (to: NodeId, together: Together) => void
}): ForwardQueue => {
  let byPeer = new Map<NodeId, Array<Queued>>()

  const sendTo = (to: NodeId, texts: ReadonlyArray<Queued>): void => {
    let together: Array<Queued> = []
    let bytes = 0
    const send = (): void => {
      if (together.length > 0) options.send(to, joined(together))
      together = []
      bytes = 0
    }
    for (const each of texts) {
      if (!options.isWanted(each)) continue
      const isOther = together[0] !== undefined && together[0].life !== each.life
      if (isOther || bytes + each.bytes > togetherMaxBytes || together.length >= forwardMaxCount) send()
      together.push(each)
      bytes += each.bytes + 1
    }
    send()
  }

  return {
    add: (to, queued) => {
      if (byPeer.size === 0) options.ring()
      const texts = byPeer.get(to)
      if (texts === undefined) byPeer.set(to, [queued])
      else texts.push(queued)
    },
    sendAll: () => {
      const all = byPeer
      byPeer = new Map()
      for (const [to, texts] of all) sendTo(to, texts)
    }
  }
}

const joined = (texts: ReadonlyArray<Queued>): Together => ({
  life: texts[0]!.life,
  requestIds: texts.map(({ requestId }) => requestId),
  body: Buffer.from(`[${texts.map(({ text }) => text).join(",")}]`)
})

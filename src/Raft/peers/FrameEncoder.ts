/** Encodes once what a node sends to several peers. Wire.ts has the bytes. */
import type { AppendEntries } from "../core/Message.ts"
import type { PeerMessage } from "./PeerMessage.ts"
import { encodeFrame } from "./Wire.ts"

/**
 * Makes the frames of one node's messages. A leader sends the same entries to all its peers, and equal ones of one turn
 * of the event loop are encoded once.
 */
export const makeFrameEncoder = (): ((message: PeerMessage) => Uint8Array) => {
  let last: { readonly message: AppendEntries; readonly frame: Uint8Array } | undefined
  const forget = (): void => {
    last = undefined
  }
  return (message) => {
    if (message._tag !== "AppendEntries") return encodeFrame(message)
    if (last !== undefined && isSame(last.message, message)) return last.frame
    if (last === undefined) queueMicrotask(forget)
    const frame = encodeFrame(message)
    last = { message, frame }
    return frame
  }
}

const isSame = (a: AppendEntries, b: AppendEntries): boolean =>
  a.term === b.term &&
  a.prevLogIndex === b.prevLogIndex &&
  a.prevLogTerm === b.prevLogTerm &&
  a.leaderCommit === b.leaderCommit &&
  a.entries.length === b.entries.length &&
  a.entries.every((entry, at) => entry === b.entries[at])

/** The connection that each message of consensus takes (D8). */
import { isNotice, type Message } from "../core/Message.ts"
import type { Lane } from "../peers/PeerMessage.ts"

/**
 * Messages that carry or acknowledge entries queue behind each other. No other message may queue behind them (D8), but for a
 * notice of a commit: it is about entries that came the same way, and shares a write with the next ones.
 */
export const laneOf = (message: Message): Lane => {
  if (message._tag === "Repair") return message.answer === undefined ? "control" : "bulk"
  const isOfEntries = message._tag === "AppendEntries" || message._tag === "AppendEntriesReply"
  return isOfEntries || isNotice(message) ? "bulk" : "control"
}

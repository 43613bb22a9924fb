/** The connection that each message of consensus takes (D8). */
import type { Message } from "../core/Message.ts"
import type { Lane } from "../peers/PeerMessage.ts"

/** Messages that carry or acknowledge entries queue behind each other. No other message may queue behind them (D8). */
export const laneOf = (message: Message): Lane => {
  if (message._tag === "Repair") return message.answer === undefined ? "control" : "bulk"
  return message._tag === "AppendEntries" || message._tag === "AppendEntriesReply" ? "bulk" : "control"
}

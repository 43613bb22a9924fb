/**
 * Decides whose answers count. A node that lost its data directory has lost its votes and acknowledgements. It comes
 * back under its name with another instance, as a new member, and members that lag still know the former one. Pure.
 * C16.
 */
import { type Configuration, type ConfigurationMember, membersOf } from "./Configuration.ts"
import type { Message } from "./Message.ts"

/**
 * Whether this node may take `message` from a peer that shows this instance. A vote or an acknowledgement counts only
 * if the configuration in force names the sender's data directory. Other messages prove nothing, so this node takes
 * them from every member of the cluster: a member that lags may know its leader by a former instance only, and must
 * still receive the configuration that names the new one.
 */
export const mayTake = (
  configuration: Configuration,
  peer: Pick<ConfigurationMember, "id" | "instanceId">,
  message: Message
): boolean => {
  if (!countsForSender(message)) return true
  const known = membersOf(configuration).find(({ id }) => id === peer.id)
  return known === undefined || known.instanceId === peer.instanceId
}

/** Whether the message is a vote, an acknowledgement or an echo, which quorums count, or the answer of a repair instead. */
export const countsForSender = (message: Message): boolean => {
  switch (message._tag) {
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "HeartbeatReply":
    case "InstallSnapshotReply":
    case "Repair":
      return true
    case "RequestVote":
    case "AppendEntries":
    case "Heartbeat":
    case "ReadIndex":
    case "ReadIndexReply":
    case "TimeoutNow":
    case "InstallSnapshot":
    case "RepairReply":
      return false
  }
}

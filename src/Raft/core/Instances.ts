/**
 * Whose answers count. A node that lost its data directory has lost its vote and its acknowledgements: it comes back under
 * its name with another instance, as a new member, while members that lag still know the former one. Pure. C16.
 */
import { type Configuration, type ConfigurationMember, membersOf } from "./Configuration.ts"
import type { Message } from "./Message.ts"

/**
 * Whether `message` may be taken from a peer that shows this instance. A vote or an acknowledgement counts for the
 * data directory that the configuration in force names, and for no other. What is no such answer proves nothing, and is
 * taken from whoever belongs to the cluster: a member that lags may know its leader by a former instance only, and would
 * else never hear of the configuration that names the new one.
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

/** Whether the sender says what it voted for, holds or has heard: what a quorum is made of. */
export const countsForSender = (message: Message): boolean => {
  switch (message._tag) {
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "HeartbeatReply":
    case "InstallSnapshotReply":
      return true
    case "RequestVote":
    case "AppendEntries":
    case "Heartbeat":
    case "ReadIndex":
    case "ReadIndexReply":
    case "TimeoutNow":
    case "InstallSnapshot":
      return false
  }
}

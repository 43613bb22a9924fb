/** Decides whether a member's damaged log can be given back by its peers, before the log is changed. C26. */
import { Effect } from "effect"
import type { LogDamage } from "../EventStore/FileLogRecovery.ts"
import type { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import type { Repairable } from "../EventStore/VotedLog.ts"
import { type Configuration, membersOf } from "../Raft/core/Configuration.ts"
import { decodeConfiguration } from "../Raft/core/ConfigurationCodec.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import * as Quorum from "../Raft/core/Quorum.ts"
import type { Self } from "../Raft/peers/Transport.ts"

/** Why peers cannot repair a log; undefined if they can. `configuration` is the last one that is intact, if one is. */
export const refusalOf = (
  self: {
    readonly nodeId: NodeId
    readonly peers: ReadonlyArray<{ readonly id: NodeId }>
    readonly isJoining: boolean
  },
  configuration: Configuration | undefined
): string | undefined => {
  if (configuration !== undefined && membersOf(configuration).length > 0) {
    const isQuorum = Quorum.isQuorum(configuration, (voter) => voter !== self.nodeId)
    return isQuorum ? undefined : `without this node, ${configuration.voters.length} voters have no quorum. ${advice}`
  }
  // Nothing that is left says who the members were: the flags do.
  if (self.isJoining) return undefined
  const others = new Set(self.peers.map(({ id }) => id).filter((id) => id !== self.nodeId)).size
  return others * 2 > others + 1 ? undefined : `this node names ${others} other nodes, which have no quorum. ${advice}`
}

const advice = "Make a new cluster of what is left: lithair recover --survey"

/** What a member says to its log, with its snapshots and flags. */
export const repairableOf = (options: {
  readonly self: Self
  readonly isJoining: boolean
  readonly snapshots: SnapshotStore["Service"]
}): Repairable => {
  const { isJoining, self, snapshots } = options
  const newest = (atLeastIndex: number) =>
    Effect.scoped(Effect.map(snapshots.openNewest({ atLeastIndex }), (opened) => opened?.info))
  return {
    isCovered: (index) => Effect.map(newest(index), (info) => info !== undefined),
    refusal: ({ configuration: entry }: LogDamage) =>
      Effect.map(newest(0), (snapshot) => {
        const isInLog = entry !== undefined && entry.index >= (snapshot?.index ?? 0)
        const bytes = isInLog ? entry.payload : snapshot?.configuration
        const decoded = bytes === undefined ? undefined : decodeConfiguration(bytes)
        const configuration = decoded?._tag === "Configuration" ? decoded.configuration : undefined
        return refusalOf({ nodeId: self.nodeId, peers: self.peers, isJoining }, configuration)
      })
  }
}

/** What an operator may ask of a cluster's membership, and the configuration that it leads to. Pure. Raft §6, diss. 4.2. */
import { type Configuration, type ConfigurationMember, isMember, isVoter, membersOf } from "./Configuration.ts"
import { membersMaxCount } from "./ConfigurationCodec.ts"
import type { NodeId } from "./Message.ts"

/** Any set of voters is one safe step away, through a joint configuration; whoever is to vote has first been a learner. */
export type MembershipChange =
  | { readonly _tag: "AddLearner"; readonly member: ConfigurationMember; readonly autoPromote: boolean }
  | { readonly _tag: "Promote"; readonly id: NodeId }
  | { readonly _tag: "Remove"; readonly id: NodeId }
  /** Each a voter or a learner now; voters that are left out leave the cluster, other learners stay. */
  | { readonly _tag: "ReplaceVoters"; readonly voters: ReadonlyArray<NodeId> }

/**
 * Why nothing was changed. `notReady`: this term's no-op is not committed (diss. 4.1, and the erratum of 2015).
 * `changing`: another change is not committed, or its joint configuration not left. `notCaughtUp`: it would vote without
 * the log (diss. 4.2.1). `unreachable`: the voters to be are no quorum that this leader hears.
 */
export type ChangeRefusal =
  | "notLeader"
  | "notReady"
  | "changing"
  | "transferring"
  | "alreadyMember"
  | "unknownMember"
  | "unchanged"
  | "noVoters"
  | "tooManyMembers"
  | "notCaughtUp"
  | "unreachable"

export type Target = { readonly _tag: "Target"; readonly configuration: Configuration } | Refused
interface Refused {
  readonly _tag: "Refused"
  readonly reason: ChangeRefusal
}

/** The configuration in force once `change` is done, of one that is not joint. */
export const targetOf = (configuration: Configuration, change: MembershipChange): Target => {
  const { learners, voters } = configuration
  switch (change._tag) {
    case "AddLearner": {
      if (isMember(configuration, change.member.id)) return refused("alreadyMember")
      return target({ voters, learners: [...learners, { ...change.member, autoPromote: change.autoPromote }] })
    }
    case "Promote":
      if (isVoter(configuration, change.id)) return refused("unchanged")
      return targetOf(configuration, { _tag: "ReplaceVoters", voters: [...voters.map(({ id }) => id), change.id] })
    case "Remove": {
      if (!isMember(configuration, change.id)) return refused("unknownMember")
      const stays = ({ id }: ConfigurationMember) => id !== change.id
      return target({ voters: voters.filter(stays), learners: learners.filter(stays) })
    }
    case "ReplaceVoters": {
      const ids = new Set(change.voters)
      const members = membersOf(configuration).filter(({ id }) => ids.has(id))
      if (members.length < ids.size) return refused("unknownMember")
      if (hasSameVoters(configuration, { voters: members })) return refused("unchanged")
      return target({ voters: members.map(plain), learners: learners.filter(({ id }) => !ids.has(id)) })
    }
  }
}

/** Fewer voters than this survive the loss of none of them. */
const votersSafeCount = 3

/** Whether the change leaves fewer voters than there are, and fewer than three: an operator must mean that. */
export const needsForce = (configuration: Configuration, change: MembershipChange): boolean => {
  const target = targetOf(configuration, change)
  // What cannot be begun is refused for that.
  if (target._tag === "Refused" || configuration.outgoing !== undefined) return false
  const voterCount = target.configuration.voters.length
  return voterCount < votersSafeCount && voterCount < configuration.voters.length
}

/** Whether the same nodes vote: then no quorum changes, and no joint configuration is needed. */
export const hasSameVoters = (a: Pick<Configuration, "voters">, b: Pick<Configuration, "voters">): boolean =>
  a.voters.length === b.voters.length && a.voters.every(({ id }) => b.voters.some((other) => other.id === id))

const target = (configuration: Configuration): Target => {
  if (configuration.voters.length === 0) return refused("noVoters")
  const isTooMany = configuration.voters.length > membersMaxCount || configuration.learners.length > membersMaxCount
  return isTooMany ? refused("tooManyMembers") : { _tag: "Target", configuration }
}

const refused = (reason: ChangeRefusal): Refused => ({ _tag: "Refused", reason })

/** A voter is no learner any more, nor is anything left of what only a learner has. */
const plain = ({ address, id, instanceId }: ConfigurationMember): ConfigurationMember => ({ id, address, instanceId })

/**
 * The membership changes that an operator may ask for, and the configuration that each leads to. Pure. Raft §6, diss.
 * 4.2.
 */
import { isSameStart, type Start } from "../../EventStore/Start.ts"
import { type Configuration, type ConfigurationMember, isMember, isVoter, membersOf, plain } from "./Configuration.ts"
import { membersMaxCount } from "./ConfigurationCodec.ts"
import type { NodeId } from "./Message.ts"

/** One joint configuration leads to any set of voters. A node must be a learner before it can vote. */
export type MembershipChange =
  | { readonly _tag: "AddLearner"; readonly member: ConfigurationMember; readonly autoPromote: boolean }
  | { readonly _tag: "Promote"; readonly id: NodeId }
  | { readonly _tag: "Remove"; readonly id: NodeId }
  /** Members run at other addresses, or were started again. The leader finds that by itself; the same nodes vote as before. */
  | { readonly _tag: "Move"; readonly moves: ReadonlyArray<Move> }
  /** Each id is a voter or a learner now. Voters that are left out leave the cluster; other learners stay. */
  | { readonly _tag: "ReplaceVoters"; readonly voters: ReadonlyArray<NodeId> }

/** Where a member runs, and the start of its directory, if it has told one. */
export interface Move {
  readonly id: NodeId
  readonly address: string
  readonly start?: Start
}

/**
 * Why nothing was changed. `notReady`: the no-op of this term is not committed (diss. 4.1, and the erratum of 2015).
 * `changing`: another change is not committed, or its joint configuration is still in force. `notCaughtUp`: a new voter
 * lacks part of the log (diss. 4.2.1). `unreachable`: this leader does not hear a quorum of the new voters.
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

/** The target of a change, or why it is refused. */
export type Target = { readonly _tag: "Target"; readonly configuration: Configuration } | Refused
interface Refused {
  readonly _tag: "Refused"
  readonly reason: ChangeRefusal
}

/** The configuration after `change`. The configuration before it is not joint. */
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
    case "Move": {
      const moves = new Map(change.moves.map((move) => [move.id, move]))
      const members = membersOf(configuration).filter(({ id }) => moves.has(id))
      if (members.length < moves.size) return refused("unknownMember")
      if (!members.some((member) => isNews(member, moves.get(member.id)!))) return refused("unchanged")
      const moved = <M extends ConfigurationMember>(each: M): M => ({ ...each, ...moves.get(each.id) })
      return target({ voters: voters.map(moved), learners: learners.map(moved) })
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

const isNews = (member: ConfigurationMember, { address, start }: Move): boolean =>
  member.address !== address || (start !== undefined && !isSameStart(member.start, start))

/** With fewer voters than this, the cluster cannot lose any of them. */
const votersSafeCount = 3

/** Whether the change leaves fewer voters than before, and fewer than three. An operator must confirm such a change. */
export const needsForce = (configuration: Configuration, change: MembershipChange): boolean => {
  const target = targetOf(configuration, change)
  // A change that cannot begin is refused for its own reason.
  if (target._tag === "Refused" || configuration.outgoing !== undefined) return false
  const voterCount = target.configuration.voters.length
  return voterCount < votersSafeCount && voterCount < configuration.voters.length
}

/** Whether the same nodes vote. Then quorums stay the same, and no joint configuration is needed. */
export const hasSameVoters = (a: Pick<Configuration, "voters">, b: Pick<Configuration, "voters">): boolean =>
  a.voters.length === b.voters.length && a.voters.every(({ id }) => b.voters.some((other) => other.id === id))

const target = (configuration: Configuration): Target => {
  if (configuration.voters.length === 0) return refused("noVoters")
  const isTooMany = configuration.voters.length > membersMaxCount || configuration.learners.length > membersMaxCount
  return isTooMany ? refused("tooManyMembers") : { _tag: "Target", configuration }
}

const refused = (reason: ChangeRefusal): Refused => ({ _tag: "Refused", reason })

/**
 * Quorums: a majority of the voters, and while a configuration is joint a majority of each side. Pure. Raft §5.2, §5.3,
 * §6.
 */
import type { Configuration, ConfigurationMember } from "./Configuration.ts"
import type { NodeId } from "./Message.ts"

/** Whether the voters for whom `has` is true are a quorum. An empty configuration has no quorum. */
export const isQuorum = ({ outgoing, voters }: Configuration, has: (voter: NodeId) => boolean): boolean =>
  isMajority(voters, has) && (outgoing === undefined || isMajority(outgoing, has))

/** The greatest value that a quorum has reached. Of match indexes, this is the commit index. */
export const quorumValue = ({ outgoing, voters }: Configuration, valueOf: (voter: NodeId) => number): number => {
  const value = majorityValue(voters, valueOf)
  return outgoing === undefined ? value : Math.min(value, majorityValue(outgoing, valueOf))
}

const isMajority = (voters: ReadonlyArray<ConfigurationMember>, has: (voter: NodeId) => boolean): boolean =>
  voters.filter(({ id }) => has(id)).length * 2 > voters.length

const majorityValue = (voters: ReadonlyArray<ConfigurationMember>, valueOf: (voter: NodeId) => number): number => {
  const ascending = voters.map(({ id }) => valueOf(id)).sort((a, b) => a - b)
  return ascending[Math.floor((ascending.length - 1) / 2)] ?? 0
}

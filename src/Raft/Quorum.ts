/** Who votes, and what a majority of them agrees on. Pure. Raft §5.2, §5.3. */
import type { NodeId } from "./Message.ts"

/** The members of a cluster. A record, so that joint consensus (§6) can add the outgoing voters. */
export interface Configuration {
  readonly voters: ReadonlyArray<NodeId>
}

export const isVoter = (configuration: Configuration, node: NodeId): boolean => configuration.voters.includes(node)

/** Whether the voters for whom `has` is true are a majority. Nobody is no majority. */
export const isQuorum = (configuration: Configuration, has: (voter: NodeId) => boolean): boolean =>
  configuration.voters.filter(has).length * 2 > configuration.voters.length

/** The greatest index that a majority has reached. */
export const quorumIndex = (configuration: Configuration, matchIndexOf: (voter: NodeId) => number): number => {
  const ascending = configuration.voters.map(matchIndexOf).sort((a, b) => a - b)
  return ascending[Math.floor((ascending.length - 1) / 2)] ?? 0
}

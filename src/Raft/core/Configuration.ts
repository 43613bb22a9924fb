/** Who belongs to a cluster: its voters, its learners, and the voters that it is leaving. Pure data. Raft §6, diss. 4.2.1. */
import type { NodeId } from "./Message.ts"

/** A member: where its peers reach it, and which data directory its vote lives in (C16). */
export interface ConfigurationMember {
  readonly id: NodeId
  readonly address: string
  readonly instanceId: string
}

/** Receives the log and counts for nothing; with `autoPromote` the leader makes it a voter once it has caught up. */
export interface Learner extends ConfigurationMember {
  readonly autoPromote: boolean
}

/** While `outgoing` is there the configuration is joint: whatever needs a quorum needs one of each (§6). */
export interface Configuration {
  readonly voters: ReadonlyArray<ConfigurationMember>
  readonly learners: ReadonlyArray<Learner>
  readonly outgoing?: ReadonlyArray<ConfigurationMember>
}

/** A node that no configuration names yet: it can only listen until a leader tells it of one. */
export const empty: Configuration = { voters: [], learners: [] }

/** Of both sides of a joint configuration, each once. */
export const votersOf = ({ outgoing = [], voters }: Configuration): ReadonlyArray<ConfigurationMember> =>
  outgoing.length === 0 ? voters : [...voters, ...outgoing.filter(({ id }) => !hasId(voters, id))]

export const membersOf = (configuration: Configuration): ReadonlyArray<ConfigurationMember> => [
  ...votersOf(configuration),
  ...configuration.learners
]

export const isVoter = (configuration: Configuration, node: NodeId): boolean =>
  hasId(configuration.voters, node) || hasId(configuration.outgoing ?? [], node)

export const isMember = (configuration: Configuration, node: NodeId): boolean =>
  isVoter(configuration, node) || hasId(configuration.learners, node)

/** Whether this very data directory belongs to the cluster, as a voter or a learner: one that took its place does not count. */
export const names = (configuration: Configuration, own: Pick<ConfigurationMember, "id" | "instanceId">): boolean =>
  membersOf(configuration).some(({ id, instanceId }) => id === own.id && instanceId === own.instanceId)

/** Whether the vote is that of this very data directory: one that is gone took its vote along (C16). */
export const isVoterWith = (
  configuration: Configuration,
  own: Pick<ConfigurationMember, "id" | "instanceId">
): boolean => votersOf(configuration).some(({ id, instanceId }) => id === own.id && instanceId === own.instanceId)

const hasId = (members: ReadonlyArray<ConfigurationMember>, node: NodeId): boolean =>
  members.some(({ id }) => id === node)

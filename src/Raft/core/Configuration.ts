/**
 * The members of a cluster: its voters, its learners, and the voters that a change is replacing. Pure data. Raft §6,
 * diss. 4.2.1.
 */
import type { Start } from "../../EventStore/Start.ts"
import type { NodeId } from "./Message.ts"

/** A member: the address where its peers reach it, and the data directory that holds its vote (C16). */
export interface ConfigurationMember {
  readonly id: NodeId
  readonly address: string
  readonly instanceId: string
  /** The last start that a leader has met of the directory, once one has: a copy from before it does not know it (C27). */
  readonly start?: Start
}

/** The member without what only a learner has. */
export const plain = ({ address, id, instanceId, start }: ConfigurationMember): ConfigurationMember => ({
  id,
  address,
  instanceId,
  ...(start === undefined ? {} : { start: { life: start.life, nonce: start.nonce } })
})

/** A learner receives the log and has no vote. With `autoPromote` the leader makes it a voter once it has caught up. */
export interface Learner extends ConfigurationMember {
  readonly autoPromote: boolean
}

/**
 * The members in force. While `outgoing` is present the configuration is joint: every decision needs a quorum of
 * `voters` and a quorum of `outgoing` (§6).
 */
export interface Configuration {
  readonly voters: ReadonlyArray<ConfigurationMember>
  readonly learners: ReadonlyArray<Learner>
  readonly outgoing?: ReadonlyArray<ConfigurationMember>
}

/** The configuration of a node that belongs to no cluster yet. It only listens until a leader sends it another one. */
export const empty: Configuration = { voters: [], learners: [] }

/** The voters of both sides of a joint configuration, each once. */
export const votersOf = ({ outgoing = [], voters }: Configuration): ReadonlyArray<ConfigurationMember> =>
  outgoing.length === 0 ? voters : [...voters, ...outgoing.filter(({ id }) => !hasId(voters, id))]

/** All voters and learners, each once. */
export const membersOf = (configuration: Configuration): ReadonlyArray<ConfigurationMember> => [
  ...votersOf(configuration),
  ...configuration.learners
]

/** Whether `node` votes, on either side of a joint configuration. */
export const isVoter = (configuration: Configuration, node: NodeId): boolean =>
  hasId(configuration.voters, node) || hasId(configuration.outgoing ?? [], node)

/** Whether `node` is a voter or a learner. */
export const isMember = (configuration: Configuration, node: NodeId): boolean =>
  isVoter(configuration, node) || hasId(configuration.learners, node)

/**
 * Whether the configuration names this very data directory, as a voter or a learner. A replacement with the same id but
 * another instance does not count.
 */
export const names = (configuration: Configuration, own: Pick<ConfigurationMember, "id" | "instanceId">): boolean =>
  membersOf(configuration).some(({ id, instanceId }) => id === own.id && instanceId === own.instanceId)

/** Whether this very data directory holds a vote. A member that lost its data directory lost its vote with it (C16). */
export const isVoterWith = (
  configuration: Configuration,
  own: Pick<ConfigurationMember, "id" | "instanceId">
): boolean => votersOf(configuration).some(({ id, instanceId }) => id === own.id && instanceId === own.instanceId)

const hasId = (members: ReadonlyArray<ConfigurationMember>, node: NodeId): boolean =>
  members.some(({ id }) => id === node)

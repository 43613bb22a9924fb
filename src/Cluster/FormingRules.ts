/**
 * Decides how empty nodes become a cluster, once, and keeps a node that lost its data from voting again. Pure. C16,
 * diss. 11.7.2. A formed node needs none of this: its log names its peers, whatever its flags say.
 */
import type { Configuration, ConfigurationMember } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"

/** This node, which is unformed. `peers` are the members that its flags name, with or without itself. */
export interface Own {
  readonly nodeId: NodeId
  readonly address: string
  readonly instanceId: string
  readonly peers: ReadonlyArray<NodeId>
}

/** The hello of a *connected* peer. It no longer counts once the connection ends. */
export interface Heard {
  readonly nodeId: NodeId
  readonly address: string
  readonly instanceId: string
  readonly clusterId: string | null
  readonly expectedInstanceId: string | null
  readonly peers: ReadonlyArray<NodeId>
}

/** The cluster and the first configuration that a formed peer proposes, if one does. */
export interface Proposed {
  readonly clusterId: string
  readonly configuration: Configuration
}

export type Forming =
  /**
   * `unheard` peers are silent. `disagreeing` peers name other members than this node does, and no node can tell which
   * is wrong.
   */
  | {
      readonly _tag: "Wait"
      readonly unheard: ReadonlyArray<NodeId>
      readonly disagreeing: ReadonlyArray<NodeId>
    }
  /** This node makes the cluster id, and this configuration is entry 1 at term 1. */
  | { readonly _tag: "Mint"; readonly configuration: Configuration }
  | { readonly _tag: "Adopt"; readonly clusterId: string; readonly configuration: Configuration }
  | { readonly _tag: "Refuse"; readonly reason: RefuseReason; readonly message: string }

/**
 * `DataLost`: a voter came back empty. `NotAMember` and `OtherMembers`: the proposed cluster differs from the flags.
 */
export type RefuseReason = "DataLost" | "NotAMember" | "OtherMembers"

/** Decides the next step of an unformed node from its peers' hellos. */
export const decideForming = (input: {
  readonly own: Own
  readonly heard: ReadonlyArray<Heard>
  readonly proposed: Proposed | undefined
}): Forming => {
  const { own, heard, proposed } = input
  const members = membersOf(own)

  // This check comes first: a formed peer knows this node's name with another data directory, and ours is empty.
  const witness = heard.find(
    (peer) => peer.clusterId !== null && peer.expectedInstanceId !== null && peer.expectedInstanceId !== own.instanceId
  )
  if (witness !== undefined) return refuse("DataLost", dataLost(own, witness.nodeId))
  if (proposed !== undefined) return considerProposed(own, members, proposed)

  const others = members.filter((id) => id !== own.nodeId)
  const unheard = others.filter((id) => !heard.some((peer) => peer.nodeId === id))
  const listed = heard.filter((peer) => others.includes(peer.nodeId))
  const disagreeing = listed.filter((peer) => !same(membersOf(peer), members)).map((peer) => peer.nodeId)
  // A formed peer means that a cluster exists: it will propose itself, or take this node in. There must be no second
  // one.
  const allUnformed = heard.every((peer) => peer.clusterId === null)
  const mint = allUnformed && unheard.length === 0 && disagreeing.length === 0 && members[0] === own.nodeId
  return mint
    ? { _tag: "Mint", configuration: { voters: [own, ...listed].map(voterOf).sort(byId), learners: [] } }
    : { _tag: "Wait", unheard, disagreeing }
}

const considerProposed = (own: Own, members: ReadonlyArray<NodeId>, proposed: Proposed): Forming => {
  const voter = proposed.configuration.voters.find(({ id }) => id === own.nodeId)
  if (voter === undefined) {
    return refuse("NotAMember", `Cannot adopt cluster ${proposed.clusterId}: ${own.nodeId} is no voter of it`)
  }
  if (voter.instanceId !== own.instanceId) return refuse("DataLost", dataLost(own, `cluster ${proposed.clusterId}`))
  const ids = proposed.configuration.voters.map(({ id }) => id).sort()
  return same(ids, members)
    ? { _tag: "Adopt", clusterId: proposed.clusterId, configuration: proposed.configuration }
    : refuse(
        "OtherMembers",
        `Cannot adopt cluster ${proposed.clusterId}: its voters are ${ids.join(", ")}, this node's peers are ${members.join(", ")}`
      )
}

/** Tells the operator what to do: the vote is lost, and only a membership change makes a new one safe. */
const dataLost = (own: Own, witness: string): string =>
  `Cannot rejoin as ${own.nodeId}: ${witness} knows it with another data directory, and this one is empty. ` +
  "Restore the directory, or remove this node from the cluster and add it as a new member"

const refuse = (reason: RefuseReason, message: string): Forming => ({ _tag: "Refuse", reason, message })

const membersOf = (node: { readonly nodeId: NodeId; readonly peers: ReadonlyArray<NodeId> }): ReadonlyArray<NodeId> =>
  [...new Set([node.nodeId, ...node.peers])].sort()

const same = (a: ReadonlyArray<NodeId>, b: ReadonlyArray<NodeId>): boolean =>
  a.length === b.length && a.every((id, position) => id === b[position])

const voterOf = (node: Own | Heard): ConfigurationMember => ({
  id: node.nodeId,
  address: node.address,
  instanceId: node.instanceId
})

const byId = (a: ConfigurationMember, b: ConfigurationMember): number => (a.id < b.id ? -1 : 1)

/** Finds what the running nodes of a test's cluster agree on now, from outside: it asks no node. */
import { Context } from "effect"
import { Member } from "../Cluster/Member.ts"
import { isCut, type MemoryNetwork } from "../Raft/peers/MemoryNetwork.ts"
import type { TestNode } from "./TestClusterNode.ts"

/** A leader that a majority follows. */
export interface Agreement {
  readonly leaderId: string
  /** Whether its whole log is committed, and applied on every running node that it reaches. */
  readonly isComplete: boolean
}

const viewOf = (node: TestNode) => {
  const member = node.running === undefined ? undefined : Context.get(node.running.services, Member)
  const running = member?.node()
  return member === undefined || running === undefined
    ? undefined
    : { nodeId: node.nodeId, leaderId: member.leader(), core: running.core, appliedIndex: running.appliedIndex() }
}

/** The agreement of a majority of `nodes`; undefined while there is none. */
export const find = (nodes: ReadonlyArray<TestNode>, network: MemoryNetwork): Agreement | undefined => {
  const views = nodes.flatMap((node) => viewOf(node) ?? [])
  const [leader] = views
    .filter(({ core }) => core.role._tag === "Leader")
    .sort((one, other) => other.core.currentTerm - one.core.currentTerm)
  if (leader === undefined) return undefined
  const { commitIndex, currentTerm, log } = leader.core
  const isFollowing = ({ core, leaderId }: NonNullable<ReturnType<typeof viewOf>>) =>
    leaderId === leader.nodeId && core.currentTerm === currentTerm
  const reached = nodes.filter(
    ({ nodeId, running }) => running !== undefined && !isCut(network, [nodeId, leader.nodeId])
  )
  if (reached.flatMap((node) => viewOf(node) ?? []).filter(isFollowing).length <= nodes.length / 2) return undefined
  const isApplied = reached.every((node) => viewOf(node)?.appliedIndex === log.lastIndex)
  return { leaderId: leader.nodeId, isComplete: commitIndex === log.lastIndex && isApplied }
}

/** The state of each node. */
export const explain = (nodes: ReadonlyArray<TestNode>): string =>
  nodes
    .map((node) => {
      if (node.running === undefined) return `${node.nodeId} is not running`
      const view = viewOf(node)
      if (view === undefined) return `${node.nodeId} has not formed a cluster`
      const { appliedIndex, core, leaderId } = view
      return `${node.nodeId} follows ${leaderId ?? "nobody"} in term ${core.currentTerm}, at index ${appliedIndex}`
    })
    .join("; ")

/** Finds what the running nodes of a test's cluster agree on now, from outside: it asks no node. */
import { Context } from "effect"
import { Member } from "../Cluster/Member.ts"
import { isCut, type MemoryNetwork } from "../Raft/peers/MemoryNetwork.ts"
import type { TestNode } from "./TestClusterNode.ts"

/** A leader that a majority follows. */
export interface Agreement {
  readonly leaderId: string
  /** Whether its whole log is committed, and every running node that it reaches has applied it and serves requests. */
  readonly isComplete: boolean
}

const viewOf = (node: TestNode) => {
  const member = node.running === undefined ? undefined : Context.get(node.running.services, Member)
  const running = member?.node()
  if (member === undefined || running === undefined) return undefined
  const appliedIndex = running.appliedIndex()
  return {
    nodeId: node.nodeId,
    leaderId: member.leader(),
    core: running.core,
    appliedIndex,
    // Until a quorum has confirmed its state, and its records are checked, a node that has started serves nothing.
    isServing: member.staleMs(appliedIndex, 0) !== undefined
  }
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
  const isReady = reached.map(viewOf).every((view) => view?.isServing === true && view.appliedIndex === log.lastIndex)
  return { leaderId: leader.nodeId, isComplete: commitIndex === log.lastIndex && isReady }
}

/** The state of each node. */
export const explain = (nodes: ReadonlyArray<TestNode>): string =>
  nodes
    .map((node) => {
      if (node.running === undefined) return `${node.nodeId} is not running`
      const view = viewOf(node)
      if (view === undefined) return `${node.nodeId} has not formed a cluster`
      const { appliedIndex, core, isServing, leaderId } = view
      const place = `in term ${core.currentTerm}, at index ${appliedIndex}${isServing ? "" : ", and does not serve yet"}`
      return `${node.nodeId} follows ${leaderId ?? "nobody"} ${place}`
    })
    .join("; ")

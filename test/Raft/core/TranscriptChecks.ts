/**
 * What must hold in every story, after every step, whether it asks for it or not: Raft Fig. 3 (Election Safety, Log
 * Matching, Leader Completeness, State Machine Safety), that what is committed is on the disks of a quorum, and that no
 * read is answered from the past.
 */
import type { LogEntry } from "../../../src/EventStore/LogEntry.ts"
import type { NodeId } from "../../../src/Raft/core/Message.ts"
import * as Quorum from "../../../src/Raft/core/Quorum.ts"
import type { Cluster } from "./TranscriptCluster.ts"
import * as Node from "./TranscriptNode.ts"

interface Committed {
  readonly entry: LogEntry
  /** The term of whoever committed it: only leaders of later terms must hold it. */
  readonly inTerm: number
}

export interface Seen {
  /** Who led each term. */
  readonly leaders: Map<number, NodeId>
  readonly committed: Map<number, Committed>
  committedIndex: number
}

export const make = (): Seen => ({ leaders: new Map(), committed: new Map(), committedIndex: 0 })

/** An entry as stories name it: its term, and what it says. */
export const nameOf = ({ payload, term, type }: LogEntry): string => {
  if (type === "noop") return `${term}:noop`
  return `${term}:${type === "configuration" ? "members" : new TextDecoder().decode(payload)}`
}

export const check = (cluster: Cluster): void => {
  for (const node of cluster.nodes.values()) {
    checkLeader(cluster, node)
    checkCommitted(cluster, node)
  }
  for (const [name, { answer, atLeastIndex }] of cluster.reads) {
    const isReady = answer !== "waiting" && answer !== "refused"
    if (isReady && answer.readIndex < atLeastIndex) {
      throw new Error(`read ${name} is stale: ready at ${answer.readIndex}, though it began after ${atLeastIndex}`)
    }
  }
}

const checkLeader = ({ seen }: Cluster, node: Node.Node): void => {
  const { core } = node
  if (core?.role._tag !== "Leader") return
  const other = seen.leaders.get(core.currentTerm) ?? node.id
  if (other !== node.id) throw new Error(`${other} and ${node.id} both lead term ${core.currentTerm} (Election Safety)`)
  seen.leaders.set(core.currentTerm, node.id)
  const log = Node.written(node)
  for (const [index, { entry, inTerm }] of seen.committed) {
    if (inTerm >= core.currentTerm || index < log.firstIndex || Node.termAt(log, index) === entry.term) continue
    throw new Error(`${node.id} leads without committed entry ${index} (Leader Completeness)`)
  }
}

const checkCommitted = (cluster: Cluster, node: Node.Node): void => {
  const { core } = node
  if (core === undefined) return
  const { seen } = cluster
  const log = Node.written(node)
  for (let index = Math.max(node.checkedIndex + 1, log.firstIndex); index <= core.commitIndex; index++) {
    const entry = log.entries[index - log.firstIndex]
    const other = seen.committed.get(index)?.entry
    if (entry === undefined) throw new Error(`${node.id} committed entry ${index}, which it does not hold`)
    if (other === undefined) {
      checkOnQuorum(cluster, node, entry)
      seen.committed.set(index, { entry, inTerm: core.currentTerm })
    } else if (nameOf(other) !== nameOf(entry)) {
      throw new Error(
        `${node.id} committed ${nameOf(entry)} at ${index}, others ${nameOf(other)} (State Machine Safety)`
      )
    }
    seen.committedIndex = Math.max(seen.committedIndex, index)
  }
  node.checkedIndex = Math.max(node.checkedIndex, core.commitIndex)
}

/** Read from the disks, not from what anybody says about them (Fig. 2: durable before replying). */
const checkOnQuorum = (cluster: Cluster, node: Node.Node, entry: LogEntry): void => {
  const { configuration } = node.core!
  const holds = (id: NodeId): boolean => {
    const disk = cluster.nodes.get(id)?.disk
    return disk !== undefined && (entry.index < disk.firstIndex || Node.termAt(disk, entry.index) === entry.term)
  }
  if (Quorum.isQuorum(configuration, holds)) return
  throw new Error(`${node.id} committed entry ${entry.index}, which is not on the disks of a quorum`)
}

/** What a simulated cluster consists of, and one input of one node, with all that follows from it. Not what happens when (SimulatorDraw.ts). */
import type { Input } from "../Raft/Input.ts"
import type { Envelope, NodeId } from "../Raft/Message.ts"
import type { Output } from "../Raft/Output.ts"
import type { RaftConfig } from "../Raft/RaftConfig.ts"
import { step } from "../Raft/step.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"

export interface World {
  readonly config: RaftConfig
  readonly nodes: ReadonlyArray<Node.SimulatedNode>
  readonly checks: Checks.Checks
  network: Array<Envelope>
  /** One-way links that lose everything, as "from>to". */
  readonly cut: Set<string>
  /** The real time, which no node's credited time runs ahead of. */
  nowMs: number
  nextRequestId: number
  /** A hash of everything that the cores did, in order: equal for equal runs. */
  trace: number
}

const networkMaxCount = 2000

export const nodeOf = (world: World, id: NodeId): Node.SimulatedNode => world.nodes.find((node) => node.id === id)!

export const feed = (world: World, node: Node.SimulatedNode, input: Input): Output | undefined => {
  const { state } = node
  if (state === undefined) return undefined
  const output = step(state, input)
  if (output.write !== undefined) node.unsynced.push(output.write)
  if (output.restore !== undefined) node.tasks = [{ _tag: "Restore", mark: output.restore }]
  if (output.apply !== undefined) node.tasks.push({ _tag: "Apply", ...output.apply })
  if (output.compact !== undefined) Node.compact(node.disk, output.compact.throughIndex)
  node.reads.push(...output.readLog)
  if (output.snapshotChunk !== undefined) node.chunks.push(output.snapshotChunk)
  if (state.role._tag !== "Leader") node.sending.clear()
  for (const { atLeastIndex, peer } of output.needsSnapshot) {
    const snapshot = node.disk.snapshots.at(-1)
    if (snapshot === undefined || snapshot.index < atLeastIndex) Checks.fail(`${node.id}: no snapshot for ${peer}`)
    else node.sending.set(peer, { snapshot, offset: 0, isDone: false })
  }
  if (output.snapshotReply !== undefined) {
    const { message, peer } = output.snapshotReply
    const sending = node.sending.get(peer)
    if (sending?.snapshot.index === message.snapshotIndex) {
      sending.offset = message.receivedBytes
      sending.isDone ||= message.installed
    }
  }
  for (const envelope of output.messages) send(world, envelope)
  noteTrace(world, [Number(node.id), state.currentTerm, state.commitIndex, state.log.lastIndex, output.messages.length])
  Checks.afterStep(world.checks, world.nodes, node, output)
  Checks.readsServed(world.checks, node, { reads: output.readsReady, nowMs: world.nowMs })
  return output
}

/** A bounded network: what overflows is lost, as it may be. */
export const send = (world: World, envelope: Envelope): void => {
  world.network.push(envelope)
  if (world.network.length > networkMaxCount) world.network.shift()
}

/** Whether the process stands still: its sockets take what comes, and nothing happens to it. */
export const isStanding = (world: World, node: Node.SimulatedNode): boolean =>
  node.state !== undefined && world.nowMs < node.pausedUntilMs

/** Whether nothing happens on the node now: it is stopped, or stands still. */
export const isIdle = (world: World, node: Node.SimulatedNode): boolean =>
  node.state === undefined || isStanding(world, node)

const noteTrace = (world: World, values: ReadonlyArray<number>): void => {
  for (const value of values) world.trace = Math.imul(world.trace ^ value, 0x01000193) >>> 0
}

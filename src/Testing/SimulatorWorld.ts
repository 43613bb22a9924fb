/** What a simulated cluster consists of, and one input of one node, with all that follows from it. Not what happens when (Simulator.ts). */
import type { Input } from "../Raft/Input.ts"
import type { Envelope } from "../Raft/Message.ts"
import type { Output } from "../Raft/Output.ts"
import type { RaftConfig } from "../Raft/RaftConfig.ts"
import { step } from "../Raft/step.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"

export interface World {
  readonly config: RaftConfig
  readonly random: () => number
  readonly nodes: ReadonlyArray<Node.SimulatedNode>
  readonly checks: Checks.Checks
  network: Array<Envelope>
  /** One-way links that lose everything, as "from>to". */
  readonly cut: Set<string>
  /** The real time, which no node's credited time runs ahead of. */
  nowMs: number
  nextRequestId: number
  isFaulty: boolean
  readonly faults: PlantedFaults
  /** Drawn per seed: the first that many messages in flight are as likely to arrive next. */
  readonly reorderCount: number
  /** Drawn per seed: how often links are cut, nodes crash and ticks outrun messages. */
  readonly harm: number
  readonly pauseMaxMs: number
}

/** Faults that the checks must find. */
export interface PlantedFaults {
  /** The disk says "synced" and forgets at the next crash. */
  readonly isDiskLying?: boolean
  /** Whoever read under a lease does not look at the clock again. */
  readonly isLeaseTrusted?: boolean
}

const networkMaxCount = 2000

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
  world.network.push(...output.messages)
  // A bounded network: what overflows is lost, as it may be.
  if (world.network.length > networkMaxCount) world.network.splice(0, world.network.length - networkMaxCount)
  Checks.afterStep(world.checks, world.nodes, node, output)
  Checks.readsServed(world.checks, node, {
    reads: output.readsReady,
    nowMs: world.faults.isLeaseTrusted === true ? Number.NEGATIVE_INFINITY : world.nowMs
  })
  return output
}

/** Starts a node that is stopped: mostly from its newest snapshot, or from an older one, as if that were damaged. */
export const start = (world: World, node: Node.SimulatedNode): void => {
  if (node.state !== undefined) return
  const snapshots = Node.usableSnapshots(node.disk)
  const snapshot = world.random() < 0.7 ? snapshots.at(-1) : snapshots[0]
  Node.start(node, world.config, snapshot)
  Checks.started(world.checks, node)
}

/** Stops a node anywhere: of the writes under way a random number reached the disk. */
export const crash = (world: World, node: Node.SimulatedNode): void => {
  if (node.state === undefined) return
  Node.stop(node, Math.floor(world.random() * (node.unsynced.length + 1)))
}

/** Whether the process stands still: its sockets take what comes, and nothing happens to it. */
export const isStanding = (world: World, node: Node.SimulatedNode): boolean =>
  node.state !== undefined && world.nowMs < node.pausedUntilMs

/** Whether nothing happens on the node now: it is stopped, or stands still. */
export const isIdle = (world: World, node: Node.SimulatedNode): boolean =>
  node.state === undefined || isStanding(world, node)

export const pick = <A>(world: World, from: ReadonlyArray<A>): A => from[Math.floor(world.random() * from.length)]!

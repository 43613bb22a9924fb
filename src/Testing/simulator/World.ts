/** The parts of a simulated cluster, and one input to one node with all its consequences. Draw.ts decides what happens when. */

import type { decoding } from "../../Cluster/Feed.ts"
import type { Command } from "../../Machine/Command.ts"
import type { Input } from "../../Raft/core/Input.ts"
import type { Message, NodeId } from "../../Raft/core/Message.ts"
import type { Output } from "../../Raft/core/Output.ts"
import type { RaftConfig } from "../../Raft/core/RaftConfig.ts"
import type { StateReport } from "../../Raft/core/StateComparison.ts"
import { step } from "../../Raft/core/step.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import { chunksMaxCount } from "../../Raft/node/SnapshotLoop.ts"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import * as Checks from "./Checks.ts"
import type { Clients } from "./ClientState.ts"
import * as Disk from "./Disk.ts"
import { fail } from "./Failure.ts"
import type { Releases } from "./Limits.ts"
import type * as Node from "./Node.ts"
import { noQuorum } from "./Outcome.ts"
import type { Profile } from "./Profile.ts"
import * as Repairs from "./Repairs.ts"
import type { Sight } from "./SightState.ts"

/** A client's command on its way from the node that it asked to the leader, and the answer on its way back. */
export type Forwarded =
  | { readonly _tag: "Forward"; readonly requestId: number; readonly command: Command }
  | { readonly _tag: "ForwardReply"; readonly requestId: number; readonly exit: Parameters<Node.Settle>[0] }

export interface Packet {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message | Forwarded | StateReport
  /** Until then the message is on its way, and cannot arrive. */
  readonly arrivesMs: number
  readonly sentMs: number
}

export interface World {
  readonly config: RaftConfig
  /** The two releases of a run with tight limits; undefined in other runs. */
  readonly releases: Releases | undefined
  readonly nodes: ReadonlyArray<Node.SimulatedNode>
  /** Whether disks rot, and nodes repair their logs from their peers. */
  readonly isRotting: boolean
  /** Whether nodes mark what they have applied. */
  readonly isMarking: boolean
  /** The readers of a run with rules; undefined in other runs. */
  readonly sight: Sight | undefined
  readonly firstVoters: ReadonlyArray<NodeId>
  readonly clients: Clients
  /** The load of clients once faults are over. */
  readonly profile: Profile
  readonly checks: Checks.Checks
  /** Decodes entries as projections get them. */
  readonly decodedOf: ReturnType<typeof decoding>
  network: Array<Packet>
  /** The delays of slow links, by "from>to". */
  readonly latenciesMs: ReadonlyMap<string, number>
  /** The one-way links that lose everything, as "from>to". */
  readonly cut: Set<string>
  /** The real time. No node's own time runs ahead of it. */
  nowMs: number
  /** The next number for a request, a record, or anything else that needs one of its own. */
  nextNumber: number
  /** A hash of everything that cores and projections did, in order. Equal runs have equal hashes. */
  trace: number
}

const networkMaxCount = 2000

export const nodeOf = (world: World, id: NodeId): Node.SimulatedNode => world.nodes.find((node) => node.id === id)!

/** A node's monotonic clock. */
export const clockOf = (world: World, node: Node.SimulatedNode): number => world.nowMs * node.clockRate

/** Steps the core of a node that runs. */
export const feed = (world: World, node: Node.SimulatedNode, input: Input): Output | undefined => {
  const { disk, life } = node
  if (life === undefined) return undefined
  const { core } = life
  const output = step(core, input)
  if (output.write !== undefined) {
    if (life.unsynced.length === 0) life.unsyncedSinceMs = core.nowMs
    life.unsynced.push(output.write)
  }
  if (output.restore !== undefined) life.tasks = [{ _tag: "Restore", mark: output.restore }]
  if (output.apply !== undefined) life.tasks.push({ _tag: "Apply", ...output.apply })
  if (output.compact !== undefined) Disk.compact(disk, output.compact.throughIndex)
  life.logReads.push(...output.readLog)
  if (output.snapshotChunk !== undefined) {
    life.chunks.push(output.snapshotChunk)
    if (life.chunks.length > chunksMaxCount) life.chunks.shift()
  }
  moveSnapshots(node, life, output)
  for (const ready of output.readsReady) {
    if (ready.leaseUntilMs !== undefined) life.leases.set(ready.readId, ready.leaseUntilMs)
    WaitingReads.ready(life.reads, ready)
  }
  if (output.roleChanged !== undefined && output.roleChanged.role !== "leader")
    CommandQueue.dropSpeculation(life.deciding)
  for (const packet of output.messages) send(world, packet)
  noteTrace(world, [Number(node.id), core.currentTerm, core.commitIndex, core.log.lastIndex, output.messages.length])
  Checks.afterStep(world.checks, world.nodes, node, output)
  Repairs.afterStep(world.checks, world.nodes, node, output)
  if (output.repaired !== undefined) disk.lost = undefined
  for (const readId of output.readsRefused) WaitingReads.refuse(life.reads, readId, noQuorum)
  return output
}

/** Follows the core's output about the snapshots that this node sends. */
const moveSnapshots = ({ disk, id }: Node.SimulatedNode, life: Node.Life, output: Output): void => {
  if (life.core.role._tag !== "Leader") life.sending.clear()
  for (const { atLeastIndex, peer } of output.needsSnapshot) {
    const snapshot = disk.snapshots.at(-1)
    if (snapshot === undefined || snapshot.index < atLeastIndex) fail(`${id}: no snapshot for ${peer}`)
    else life.sending.set(peer, { snapshot, offset: 0, isDone: false })
  }
  if (output.snapshotReply === undefined) return
  const { message, peer } = output.snapshotReply
  const sending = life.sending.get(peer)
  if (sending?.snapshot.index !== message.snapshotIndex) return
  sending.offset = message.receivedBytes
  sending.isDone ||= message.installed
}

/** Sends a message over a bounded network, which loses the oldest message when it is full. */
export const send = (world: World, { from, message, to }: Omit<Packet, "arrivesMs" | "sentMs">): void => {
  const arrivesMs = world.nowMs + (world.latenciesMs.get(`${from}>${to}`) ?? 0)
  world.network.push({ from, to, message, arrivesMs, sentMs: world.nowMs })
  if (world.network.length > networkMaxCount) world.network.shift()
}

/** Whether the process stands still: its sockets still take messages, and nothing happens to them. */
export const isStanding = (world: World, { life }: Node.SimulatedNode): boolean =>
  life !== undefined && world.nowMs < life.pausedUntilMs

/** The life of a node that runs and does not stand still. */
export const awake = (world: World, node: Node.SimulatedNode): Node.Life | undefined =>
  isStanding(world, node) ? undefined : node.life

export const noteTrace = (world: World, values: ReadonlyArray<number>): void => {
  for (const value of values) world.trace = Math.imul(world.trace ^ value, 0x01000193) >>> 0
}

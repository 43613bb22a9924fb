/** One simulated node: its disk, and its life, which a crash ends. Not the cluster (Simulator.ts). */

import * as ReplicatedMachine from "../../Cluster/ReplicatedMachine.ts"
import type { LogEntry, SnapshotMark } from "../../EventStore/LogEntry.ts"
import * as AssignedKey from "../../Machine/AssignedKey.ts"
import type { Command } from "../../Machine/Command.ts"
import type { Limits } from "../../Machine/Limits.ts"
import * as Machine from "../../Machine/Machine.ts"
import { empty } from "../../Raft/core/Configuration.ts"
import type { InstallSnapshot, NodeId } from "../../Raft/core/Message.ts"
import type { LogReadRequest, SequencedWrite } from "../../Raft/core/Output.ts"
import type { RaftConfig } from "../../Raft/core/RaftConfig.ts"
import * as State from "../../Raft/core/State.ts"
import * as StateComparison from "../../Raft/core/StateComparison.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import * as Disk from "./Disk.ts"
import type { Followers } from "./FollowerState.ts"
import { descriptors } from "./Models.ts"
import type { Ruled } from "./Papers.ts"
import { procedures } from "./Procedures.ts"
import type { Version } from "./Projections.ts"

/** A task of the shell for the machine. Tasks are done in order. */
export type Task =
  | { readonly _tag: "Apply"; readonly fromIndex: number; readonly toIndex: number }
  | { readonly _tag: "Restore"; readonly mark: SnapshotMark }

/** A snapshot that a leader sends. `offset` counts the bytes that the peer is known to have. */
export interface Sending {
  readonly snapshot: Disk.Snapshot
  offset: number
  isDone: boolean
}

export type Replicated = ReturnType<typeof ReplicatedMachine.make>
export type Answer = ReturnType<Replicated["decide"]>["result"]
export type Settle = CommandQueue.SettleAnswer<Answer>

/** Everything that a node has in memory. */
export interface Life {
  readonly core: State.State
  readonly machine: Machine.Machine
  readonly replicated: Replicated
  readonly deciding: CommandQueue.Deciding<Command, Answer>
  readonly reads: WaitingReads.WaitingReads
  /** By read without a round: when its lease ends. */
  readonly leases: Map<number, number>
  /** Reads that may use a lease and wait for the next turn. Each checks the clock again after it has read. */
  leasable: Array<number>
  readonly comparing: StateComparison.Comparing
  /** A corruption has changed the machine's state: whether tables still show it. And whether that was ever so. */
  wrong: Disk.Snapshot["wrong"]
  wasWrong: boolean
  /** Gives a key to a command without one. */
  readonly giveKey: ReturnType<typeof AssignedKey.giver>
  /** Commands of clients here, on their way to the leader. */
  readonly forwarded: Map<number, Settle>
  /** Writes of the core that are not synced, and since when, in the core's own time. */
  unsynced: Array<SequencedWrite>
  unsyncedSinceMs: number
  appliedIndex: number
  tasks: Array<Task>
  logReads: Array<LogReadRequest>
  chunks: Array<{ readonly from: NodeId; readonly message: InstallSnapshot }>
  readonly sending: Map<NodeId, Sending>
  followers: Followers
  /** Until then the process stands still, and its messages wait. */
  pausedUntilMs: number
  arrived: Array<() => void>
}

export interface SimulatedNode {
  readonly id: NodeId
  /** The speed of its monotonic clock, and the error of its wall clock. */
  readonly clockRate: number
  wallOffsetMs: number
  /** The number of the data directory. It changes when the directory is wiped. */
  instance: number
  /** How often the node has started, wipes included. */
  lives: number
  disk: Disk.Disk
  /** Until then no write completes: the disk stalls, or is full. */
  stalledUntilMs: number
  /** Why the node does not start: its files hold damage that no crash leaves. */
  refusal: string | undefined
  /** The release that it runs from its next start on, with projections and limits of its own. */
  version: Version
  /** Whether a crash may leave a vote in its own files and not in the log. */
  readonly isVoteFirst: boolean
  /** How eagerly projections follow here, from 0 to 1, and the entries after which one is saved again. */
  readonly pace: number
  readonly saveAfterCount: number
  /** Undefined while the node is stopped. */
  life: Life | undefined
}

export const make = (options: {
  readonly id: NodeId
  readonly clockRate: number
  readonly wallOffsetMs: number
  readonly entries: ReadonlyArray<LogEntry>
  readonly pace: number
  readonly saveAfterCount: number
  readonly version: Version
  readonly isVoteFirst: boolean
}): SimulatedNode => ({
  id: options.id,
  clockRate: options.clockRate,
  wallOffsetMs: options.wallOffsetMs,
  instance: 0,
  lives: 0,
  disk: Disk.make(options.entries),
  stalledUntilMs: 0,
  refusal: undefined,
  version: options.version,
  isVoteFirst: options.isVoteFirst,
  pace: options.pace,
  saveAfterCount: options.saveAfterCount,
  life: undefined
})

export const instanceIdOf = (node: SimulatedNode): string => `${node.id}.${node.instance}`

/** Begins a life from the disk, with the machine restored from `snapshot`. */
export const start = (
  node: SimulatedNode,
  options: {
    readonly config: RaftConfig
    readonly snapshot: Disk.Snapshot | undefined
    readonly newId: () => string
    readonly monotonicMs: () => number
    readonly limits: Limits
    readonly ruled: Ruled | undefined
  }
): Life => {
  const { disk, id } = node
  const { config, limits, monotonicMs, newId, ruled, snapshot } = options
  const models = ruled?.descriptors ?? descriptors
  const machine = Machine.make(models, procedures, undefined, limits, undefined, ruled?.policy)
  const replicated = ReplicatedMachine.make(machine, { newId, monotonicMs })
  const recovered = Disk.recoveredOf(disk)
  const restoredIndex = snapshot?.index ?? 0
  const appliedIndex = Math.max(restoredIndex, State.knownThrough({ recovered, snapshot, mark: disk.applied }))
  const anew = replicated.rebuilding()
  if (snapshot !== undefined) restore(anew, snapshot)
  for (let index = restoredIndex + 1; index <= appliedIndex; index++) anew.apply(Disk.entryAt(disk, index)!)
  if (appliedIndex > 0) anew.end()
  node.lives += 1
  const core = State.make({
    config,
    nodeId: id,
    instanceId: instanceIdOf(node),
    life: node.lives,
    recovered,
    appliedIndex,
    configurations: [{ index: 0, configuration: empty }, ...Disk.configurationsOf(disk.entries)],
    ...(snapshot === undefined ? {} : { snapshot })
  })
  const life: Life = {
    core,
    machine,
    replicated,
    deciding: CommandQueue.make(replicated),
    reads: WaitingReads.make(),
    leases: new Map(),
    leasable: [],
    comparing: StateComparison.make(id),
    wrong: snapshot?.wrong,
    wasWrong: snapshot?.wrong !== undefined,
    giveKey: AssignedKey.giver({ life: `${id}-${node.lives}`, isOfNode: false }),
    forwarded: new Map(),
    unsynced: [],
    unsyncedSinceMs: 0,
    appliedIndex,
    tasks: [],
    logReads: [],
    chunks: [],
    sending: new Map(),
    followers: new Map(),
    pausedUntilMs: 0,
    arrived: []
  }
  node.life = life
  return life
}

/** Restores the machine from a snapshot, piece by piece, as from a file. */
export const restore = (
  machine: Pick<Replicated, "restoring">,
  { content, index }: Pick<Disk.Snapshot, "content" | "index">
): void => {
  const restoring = machine.restoring("asWritten")
  for (let at = 0; at < content.length; at += 1000) restoring.take(content.subarray(at, at + 1000))
  const ended = restoring.end()
  if (ended._tag === "Failure") throw new Error(`the snapshot at ${index} cannot be restored: ${ended.failure}`)
}

/** Loses everything in memory. Some blocks of the batch under way, the first `count` writes, reach the disk. */
export const stop = (
  node: SimulatedNode,
  { blocks, count }: { readonly count: number; readonly blocks: number }
): void => {
  const writes = node.life?.unsynced.slice(0, count) ?? []
  Disk.tear(node.disk, writes, blocks)
  // The files of votes come first, and the crash may come between them and the log.
  if (node.isVoteFirst && (blocks & 1) === 1) Disk.keepVote(node.disk, writes)
  node.life = undefined
}

/** No write is under way when the node crashes. */
export const nothing = { count: 0, blocks: 0 }

/** Replaces the data directory by an empty one. */
export const wipe = (node: SimulatedNode): void => {
  node.life = undefined
  node.disk = Disk.make([])
  node.refusal = undefined
  node.instance++
}

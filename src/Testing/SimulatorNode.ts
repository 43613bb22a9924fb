/** One simulated node: what its disk holds, what a crash leaves of it, and how it starts again. Not the cluster (Simulator.ts). */
import type { HardState, LogEntry, SnapshotMark } from "../EventStore/LogEntry.ts"
import type { LogWrite, Recovered } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type Configuration, empty } from "../Raft/Configuration.ts"
import { decodeConfiguration } from "../Raft/ConfigurationCodec.ts"
import type { ConfigurationAt } from "../Raft/Configurations.ts"
import type { InstallSnapshot, NodeId } from "../Raft/Message.ts"
import type { LogReadRequest, SequencedWrite } from "../Raft/Output.ts"
import type { RaftConfig } from "../Raft/RaftConfig.ts"
import * as State from "../Raft/State.ts"

/** The machine: a hash of all that it applied, in order, so that equal states are equal histories. */
export interface Applied {
  readonly index: number
  readonly hash: number
}

/** A snapshot file: durable as soon as it is there. */
export interface Snapshot extends Applied {
  readonly term: number
  readonly configuration: Configuration
}

/** What survives a crash. */
export interface Disk {
  hardState: HardState
  /** Of `entries`, which follow each other without a gap. */
  firstIndex: number
  previousTerm: number
  entries: Array<LogEntry>
  mark: SnapshotMark | undefined
  /** The newest last; two are kept. */
  snapshots: ReadonlyArray<Snapshot>
  /** A snapshot on its way here, as far as it has come. */
  receiving: { readonly digest: string; readonly bytes: ReadonlyArray<number> } | undefined
}

/** What the shell has yet to do with the machine, in order. */
export type Task =
  | { readonly _tag: "Apply"; readonly fromIndex: number; readonly toIndex: number }
  | { readonly _tag: "Restore"; readonly mark: SnapshotMark }

/** A snapshot that a leader sends: how many bytes the peer is known to have. */
export interface Sending {
  readonly snapshot: Snapshot
  offset: number
  isDone: boolean
}

export interface SimulatedNode {
  readonly id: NodeId
  /** Of the data directory: another one once that was wiped. */
  instance: number
  disk: Disk
  /** Given out by the core and not synced: a crash keeps any prefix of them. */
  unsynced: Array<SequencedWrite>
  /** The core, while the node runs. */
  state: State.State | undefined
  applied: Applied
  tasks: Array<Task>
  reads: Array<LogReadRequest>
  chunks: Array<{ readonly from: NodeId; readonly message: InstallSnapshot }>
  readonly sending: Map<NodeId, Sending>
  /** Until then the process stands still: what comes for it waits. */
  pausedUntilMs: number
  waitingReads: Array<number>
}

export const make = (options: { readonly id: NodeId; readonly entries: ReadonlyArray<LogEntry> }): SimulatedNode => ({
  id: options.id,
  instance: 0,
  disk: emptyDisk(options.entries),
  unsynced: [],
  state: undefined,
  applied: nothing,
  tasks: [],
  reads: [],
  chunks: [],
  sending: new Map(),
  pausedUntilMs: 0,
  waitingReads: []
})

export const nothing: Applied = { index: 0, hash: 0 }

export const instanceIdOf = (node: SimulatedNode): string => `${node.id}.${node.instance}`

const emptyDisk = (entries: ReadonlyArray<LogEntry>): Disk => ({
  hardState: { currentTerm: entries.length, votedFor: undefined },
  firstIndex: 1,
  previousTerm: 0,
  entries: [...entries],
  mark: undefined,
  snapshots: [],
  receiving: undefined
})

/** Starts the core from what the disk holds, with the machine restored from `snapshot`. */
export const start = (node: SimulatedNode, config: RaftConfig, snapshot: Snapshot | undefined): void => {
  const { disk } = node
  node.applied = snapshot ?? nothing
  const configurations = [{ index: 0, configuration: empty }, ...configurationsOf(disk.entries)]
  const recovered = recover(disk)
  const restored = snapshot === undefined ? {} : { snapshot }
  node.state = State.make({
    config,
    nodeId: node.id,
    instanceId: instanceIdOf(node),
    recovered,
    configurations,
    ...restored
  })
}

/** Those that the machine can be restored from: the log reaches back to them. */
export const usableSnapshots = ({ firstIndex, snapshots }: Disk): ReadonlyArray<Snapshot> =>
  snapshots.filter(({ index }) => index >= firstIndex - 1)

/** All that was in memory is gone; of the writes under way the first `keptCount` reached the disk. */
export const stop = (node: SimulatedNode, keptCount: number): void => {
  for (const write of node.unsynced.slice(0, keptCount)) writeTo(node.disk, write)
  node.unsynced = []
  node.state = undefined
  node.tasks = []
  node.reads = []
  node.chunks = []
  node.waitingReads = []
  node.sending.clear()
}

/** The data directory is gone, and another one takes its place. */
export const wipe = (node: SimulatedNode): void => {
  stop(node, 0)
  node.disk = emptyDisk([])
  node.instance++
}

export const entryAt = (disk: Disk, index: number): LogEntry | undefined => disk.entries[index - disk.firstIndex]

/** What the log on disk promises (EventStore/LogStore.ts), with its refusals as broken invariants. */
export const writeTo = (disk: Disk, write: LogWrite): void => {
  const { hardState, snapshot, truncateFromIndex } = write
  if (truncateFromIndex !== undefined) {
    const keptIndex = Math.max(disk.firstIndex - 1, disk.mark?.index ?? 0)
    invariant(truncateFromIndex > keptIndex, `truncation from ${truncateFromIndex}, at or below ${keptIndex}`)
    disk.entries.length = truncateFromIndex - disk.firstIndex
  }
  if (snapshot !== undefined && snapshot.index > (disk.mark?.index ?? 0)) {
    disk.mark = snapshot
    if (entryAt(disk, snapshot.index)?.term !== snapshot.term) {
      disk.firstIndex = snapshot.index + 1
      disk.previousTerm = snapshot.term
      disk.entries = []
    }
  }
  if (hardState !== undefined) disk.hardState = hardState
  for (const entry of write.entries) {
    invariant(entry.index === disk.firstIndex + disk.entries.length, `a gap on disk before entry ${entry.index}`)
    disk.entries.push(entry)
  }
}

/** Removes history: only below a durable snapshot that the log notes (C14). */
export const compact = (disk: Disk, throughIndex: number): void => {
  invariant(throughIndex <= (disk.mark?.index ?? 0), `compaction through ${throughIndex}, above the mark`)
  invariant(
    disk.snapshots.some(({ index }) => index >= throughIndex),
    `no snapshot stands for entry ${throughIndex}`
  )
  const last = entryAt(disk, throughIndex)
  if (last === undefined) return
  disk.entries.splice(0, throughIndex - disk.firstIndex + 1)
  disk.firstIndex = throughIndex + 1
  disk.previousTerm = last.term
}

/** Keeps it and the newest of the others. */
export const keepSnapshot = (disk: Disk, snapshot: Snapshot): void => {
  const others = disk.snapshots.filter(({ index }) => index !== snapshot.index)
  disk.snapshots = [...others, snapshot].sort((a, b) => a.index - b.index).slice(-2)
}

export const configurationsOf = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<ConfigurationAt> =>
  entries.flatMap(({ index, payload, type }) => {
    const decoded = type === "configuration" ? decodeConfiguration(payload) : undefined
    return decoded?._tag === "Configuration" ? [{ index, configuration: decoded.configuration }] : []
  })

const recover = (disk: Disk): Recovered => ({
  hardState: disk.hardState,
  firstIndex: disk.firstIndex,
  lastIndex: disk.firstIndex + disk.entries.length - 1,
  ...(disk.firstIndex === 1 ? {} : { previousTerm: disk.previousTerm }),
  ...(disk.mark === undefined ? {} : { snapshot: disk.mark }),
  termRuns: disk.entries.flatMap(({ index, term }, at) =>
    term === disk.entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
  )
})

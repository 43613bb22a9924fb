/** One node of a transcript: its core, its disk, and what a crash leaves of it. Not the cluster (TranscriptCluster.ts). */
import type { HardState, LogEntry, LogWrite, SnapshotMark } from "../../../src/EventStore/LogEntry.ts"
import { type Configuration, empty } from "../../../src/Raft/core/Configuration.ts"
import { decodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import type { NodeId } from "../../../src/Raft/core/Message.ts"
import type { SequencedWrite } from "../../../src/Raft/core/Output.ts"
import { defaults, type RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import * as State from "../../../src/Raft/core/State.ts"
import { member } from "./Cores.ts"

/** What a power loss leaves. `entries` follow `firstIndex` without a gap; `snapshot` is a file of its own. */
export interface Disk {
  readonly hardState: HardState
  readonly firstIndex: number
  readonly previousTerm: number
  readonly entries: ReadonlyArray<LogEntry>
  readonly mark: SnapshotMark | undefined
  readonly snapshot: (SnapshotMark & { readonly configuration: Configuration }) | undefined
}

export interface Node {
  readonly id: NodeId
  /** The later a node is named, the sooner it campaigns. */
  readonly seat: number
  readonly config: Partial<RaftConfig>
  /** The configuration that an empty log stands for. */
  formedWith: Configuration
  /** Of the data directory: another one once that was wiped (C16). */
  instanceId: string
  livesCount: number
  disk: Disk
  /** Given out by the core and not synced: a crash loses all of them. */
  unsynced: Array<SequencedWrite>
  /** Writes stay unsynced until the story says `persist`. */
  isSlow: boolean
  /** Undefined while the node is down. */
  core: State.State | undefined
  /** The monotonic clock of this node alone: stories move clocks one by one. */
  clockMs: number
  /** How far this life's commit index was compared with the history of the cluster. */
  checkedIndex: number
}

export const nothing: Disk = {
  hardState: { currentTerm: 0, votedFor: undefined },
  firstIndex: 1,
  previousTerm: 0,
  entries: [],
  mark: undefined,
  snapshot: undefined
}

export const make = (options: Pick<Node, "id" | "seat" | "config" | "formedWith">): Node => ({
  ...options,
  instanceId: member(options.id).instanceId,
  livesCount: 0,
  disk: nothing,
  unsynced: [],
  isSlow: false,
  core: undefined,
  clockMs: 0,
  checkedIndex: 0
})

/**
 * Begins another life from what the disk holds; what was not synced is lost. An AppendEntries carries one entry, so that
 * a story can stop between any two, and a snapshot lets go of all that it stands for.
 */
export const start = (node: Node): void => {
  const { disk } = node
  node.unsynced = []
  node.checkedIndex = 0
  node.core = State.make({
    config: { ...defaults, logRetainedCount: 0, appendBatchBytes: -1, ...node.config },
    nodeId: node.id,
    instanceId: node.instanceId,
    life: ++node.livesCount,
    recovered: {
      hardState: disk.hardState,
      firstIndex: disk.firstIndex,
      lastIndex: lastIndexOf(disk),
      ...(disk.firstIndex === 1 ? {} : { previousTerm: disk.previousTerm }),
      ...(disk.mark === undefined ? {} : { snapshot: disk.mark }),
      termRuns: disk.entries.flatMap(({ index, term }, at) =>
        term === disk.entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
      )
    },
    configurations: [{ index: 0, configuration: node.formedWith }, ...configurationsOf(disk)],
    ...(disk.snapshot === undefined ? {} : { snapshot: disk.snapshot })
  })
}

/** The data directory is gone, and an empty one takes its place. */
export const wipe = (node: Node): void => {
  node.core = undefined
  node.unsynced = []
  node.disk = nothing
  node.formedWith = empty
  node.instanceId += "'"
}

const configurationsOf = ({ entries }: Disk) =>
  entries.flatMap(({ index, payload, type }) => {
    const decoded = type === "configuration" ? decodeConfiguration(payload) : undefined
    return decoded?._tag === "Configuration" ? [{ index, configuration: decoded.configuration }] : []
  })

export const lastIndexOf = ({ entries, firstIndex }: Disk): number => firstIndex - 1 + entries.length

export const termAt = ({ entries, firstIndex, previousTerm }: Disk, index: number): number | undefined =>
  index === firstIndex - 1 ? previousTerm : entries[index - firstIndex]?.term

/** The disk as it will be once everything under way is synced: the log that the core believes in. */
export const written = ({ disk, unsynced }: Node): Disk => unsynced.reduce(write, disk)

/** One write as the log store takes it: first the truncation, then the mark, then the hard state, then the entries. */
export const write = (disk: Disk, { entries, hardState, snapshot, truncateFromIndex }: LogWrite): Disk => {
  const from = truncateFromIndex ?? lastIndexOf(disk) + 1
  const kept: Disk = {
    ...disk,
    hardState: hardState ?? disk.hardState,
    entries: disk.entries.filter(({ index }) => index < from)
  }
  const marked = snapshot === undefined ? kept : mark(kept, snapshot)
  return { ...marked, entries: [...marked.entries, ...entries] }
}

const mark = (disk: Disk, snapshot: SnapshotMark): Disk =>
  termAt(disk, snapshot.index) === snapshot.term
    ? { ...disk, mark: snapshot }
    : { ...disk, mark: snapshot, firstIndex: snapshot.index + 1, previousTerm: snapshot.term, entries: [] }

export const compact = (disk: Disk, throughIndex: number): Disk => ({
  ...disk,
  firstIndex: throughIndex + 1,
  previousTerm: termAt(disk, throughIndex) ?? disk.previousTerm,
  entries: disk.entries.filter(({ index }) => index > throughIndex)
})

/**
 * The parts of a simulated node that survive a crash: its log and its snapshots. The disk promises what LogStore.ts
 * promises. It keeps a view of the log, entry by entry, and compares the files (Files.ts) with that view after each stop.
 */
import type { HardState, LogEntry, LogWrite, Recovered, SnapshotMark } from "../../EventStore/LogEntry.ts"
import * as LogIndex from "../../EventStore/LogIndex.ts"
import { later } from "../../EventStore/Votes.ts"
import { invariant } from "../../Invariant.ts"
import type { Tables } from "../../Machine/Tables.ts"
import type { Configuration } from "../../Raft/core/Configuration.ts"
import { decodeConfiguration } from "../../Raft/core/ConfigurationCodec.ts"
import type { ConfigurationAt } from "../../Raft/core/Configurations.ts"
import { fail } from "./Failure.ts"
import * as Files from "./Files.ts"

/** A snapshot file: durable as soon as it is there. `content` is what the machine encoded. */
export interface Snapshot extends SnapshotMark {
  readonly configuration: Configuration
  readonly content: Uint8Array
  /** The snapshot is of a wrong state: whether tables are still wrong. */
  readonly wrong: ((tables: Tables) => boolean) | undefined
}

export interface Disk {
  files: Files.Files
  /** The term and the vote in files of their own (Votes.ts), which are durable before the log's. */
  votes: HardState
  /** Whether a bit of it has flipped since the node stopped. */
  isRotten: boolean
  /** Present while the log must be repaired: "index/term" of the entries that it held when it was damaged. */
  lost: ReadonlySet<string> | undefined
  /** The batch that a crash interrupted: recovery finds all of it or nothing. */
  torn: ReadonlyArray<LogWrite>
  hardState: HardState
  /** The index of the first of `entries`, which follow each other without a gap. */
  firstIndex: number
  previousTerm: number
  entries: Array<LogEntry>
  mark: SnapshotMark | undefined
  /** The entry that the node has marked as applied (AppliedMarks.ts), in a run with such marks. */
  applied: SnapshotMark | undefined
  /** The newest is last. The disk keeps two. */
  snapshots: ReadonlyArray<Snapshot>
  /** A snapshot on its way here, as far as it has come. */
  receiving: { readonly digest: string; readonly bytes: Uint8Array } | undefined
  /** The saves of projections, by name. After a crash each file is the old one or the new one. */
  readonly derived: Map<string, Uint8Array>
}

/** A disk whose log begins with these entries, of term 1. */
export const make = (entries: ReadonlyArray<LogEntry>): Disk => {
  const disk: Disk = {
    files: Files.make(),
    votes: { currentTerm: 0, votedFor: undefined },
    isRotten: false,
    lost: undefined,
    torn: [],
    hardState: { currentTerm: 0, votedFor: undefined },
    firstIndex: 1,
    previousTerm: 0,
    entries: [],
    mark: undefined,
    applied: undefined,
    snapshots: [],
    receiving: undefined,
    derived: new Map()
  }
  if (entries.length > 0) write(disk, [{ hardState: { currentTerm: 1, votedFor: undefined }, entries }])
  return disk
}

export const entryAt = (disk: Disk, index: number): LogEntry | undefined => disk.entries[index - disk.firstIndex]

export const lastIndexOf = (disk: Disk): number => disk.firstIndex + disk.entries.length - 1

/** Writes one batch, and syncs. Its refusals are broken invariants. */
export const write = (disk: Disk, writes: ReadonlyArray<LogWrite>): void => {
  keepVote(disk, writes)
  Files.append(disk.files, writes)
  for (const each of writes) see(disk, each)
}

/** The vote of a batch reaches its own files. */
export const keepVote = (disk: Disk, writes: ReadonlyArray<LogWrite>): void => {
  disk.votes = writes.findLast(({ hardState }) => hardState !== undefined)?.hardState ?? disk.votes
}

/** The later of the votes in the log and in the files of votes. */
export const hardStateOf = ({ hardState, votes }: Disk): HardState => later(hardState, votes) ?? hardState

/** What of a disk rots: one bit of the log, the newest snapshot, or all snapshots. */
export const rotting = ["log", "snapshot", "snapshots"] as const
export type Rotting = (typeof rotting)[number]

/** Damages what is durable. The next start finds it. */
export const rot = (disk: Disk, { share, what }: { readonly share: number; readonly what: Rotting }): void => {
  disk.isRotten = true
  if (what === "log") Files.rot(disk.files, share)
  else disk.snapshots = what === "snapshots" ? [] : disk.snapshots.slice(0, -1)
}

/** The disk with its log cut where damage begins, and the entries noted that it has lost. */
export const cut = (disk: Disk): Disk => {
  const isCovered = (index: number) => disk.snapshots.some((snapshot) => snapshot.index >= index)
  const files = Files.cut(disk.files, isCovered)
  const { hardState, firstIndex, lastIndex, previousTerm, snapshot } = files.held
  const entries = Files.entriesOf(files)
  const lost = new Set(disk.lost)
  for (const { index, term } of disk.entries) lost.add(`${index}/${term}`)
  return {
    ...disk,
    files,
    isRotten: false,
    lost,
    torn: [],
    hardState,
    firstIndex,
    previousTerm,
    // Copies: later damage to the files must not reach the entries that this node sends to others.
    entries: Array.from({ length: lastIndex - firstIndex + 1 }, (_, at) => copyOf(entries.get(firstIndex + at)!)),
    mark: snapshot
  }
}

/** The node crashes within the write of a batch, and some of its blocks reach the disk. */
export const tear = (disk: Disk, writes: ReadonlyArray<LogWrite>, blocks: number): void => {
  if (writes.length === 0) return
  Files.tear(disk.files, writes, blocks)
  disk.torn = writes
}

const copyOf = (entry: LogEntry): LogEntry => ({ ...entry, payload: entry.payload.slice() })

/** A mark says that all of the log is durable. */
export const markDurable = (disk: Disk): void => Files.mark(disk.files)

/**
 * Flips a bit of the bytes that are proven durable, and reads the log as the next start would. Gives the reason why the
 * start refuses it; or undefined if the bit was in a seal that nothing follows, and all entries are there.
 */
export const damage = (disk: Disk, share: number): string | undefined => {
  Files.flip(disk.files, share)
  return recover(disk)
}

/** The content of the log after a write. */
const see = (disk: View, { entries, hardState, snapshot, truncateFromIndex }: LogWrite): void => {
  if (truncateFromIndex !== undefined) {
    const keptIndex = Math.max(disk.firstIndex - 1, disk.mark?.index ?? 0)
    invariant(truncateFromIndex > keptIndex, `truncation from ${truncateFromIndex}, at or below ${keptIndex}`)
    disk.entries.length = truncateFromIndex - disk.firstIndex
  }
  if (snapshot !== undefined && snapshot.index > (disk.mark?.index ?? 0)) {
    disk.mark = snapshot
    if (disk.entries[snapshot.index - disk.firstIndex]?.term !== snapshot.term) {
      disk.firstIndex = snapshot.index + 1
      disk.previousTerm = snapshot.term
      disk.entries = []
    }
  }
  if (hardState !== undefined) disk.hardState = hardState
  for (const entry of entries) {
    invariant(entry.index === disk.firstIndex + disk.entries.length, `a gap on disk before entry ${entry.index}`)
    disk.entries.push(entry)
  }
}

type View = Pick<Disk, "hardState" | "firstIndex" | "previousTerm" | "entries" | "mark">

/**
 * Reads the files after a stop, and gives the reason if a start refuses them. The files must hold what was synced, and of
 * the batch that a crash interrupted all or nothing.
 */
export const recover = (disk: Disk): string | undefined => {
  const refusal = Files.recover(disk.files)
  if (refusal !== undefined) return refusal
  const { torn } = disk
  disk.torn = []
  if (isRead(disk, disk)) return undefined
  const { entries, firstIndex, hardState, mark, previousTerm } = disk
  const whole: View = { entries: [...entries], firstIndex, hardState, mark, previousTerm }
  for (const each of torn) see(whole, each)
  if (!isRead(disk, whole)) fail("the log that was recovered is not the one that was written")
  Object.assign(disk, whole)
  return undefined
}

/** Whether files and view hold the same. */
const isRead = ({ files: { held }, files }: Disk, view: View): boolean => {
  const { hardState, firstIndex, lastIndex, previousTerm, snapshot } = held
  const isSame =
    hardState.currentTerm === view.hardState.currentTerm &&
    hardState.votedFor === view.hardState.votedFor &&
    firstIndex === view.firstIndex &&
    lastIndex === view.firstIndex + view.entries.length - 1 &&
    previousTerm === view.previousTerm &&
    snapshot?.index === view.mark?.index
  if (!isSame) return false
  const entries = Files.entriesOf(files)
  return view.entries.every(({ index, payload, term, type }) => {
    const entry = entries.get(index)
    return entry?.term === term && entry.type === type && Buffer.compare(entry.payload, payload) === 0
  })
}

/** Removes whole segments of history, and only below a durable snapshot that the log notes (C14). */
export const compact = (disk: Disk, throughIndex: number): void => {
  invariant(throughIndex <= (disk.mark?.index ?? 0), `compaction through ${throughIndex}, above the mark`)
  invariant(
    disk.snapshots.some(({ index }) => index >= throughIndex),
    `no snapshot stands for entry ${throughIndex}`
  )
  Files.compact(disk.files, throughIndex)
  const { firstIndex, previousTerm } = disk.files.held
  disk.entries.splice(0, firstIndex - disk.firstIndex)
  disk.firstIndex = firstIndex
  disk.previousTerm = previousTerm
}

/** Keeps this snapshot and the newest of the others. */
export const keepSnapshot = (disk: Disk, snapshot: Snapshot): void => {
  const others = disk.snapshots.filter(({ index }) => index !== snapshot.index)
  disk.snapshots = [...others, snapshot].sort((a, b) => a.index - b.index).slice(-2)
}

/** The snapshots from which the machine can be restored: the log reaches back to them. */
export const usableSnapshots = ({ firstIndex, snapshots }: Disk): ReadonlyArray<Snapshot> =>
  snapshots.filter(({ index }) => index >= firstIndex - 1)

export const configurationsOf = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<ConfigurationAt> =>
  entries.flatMap(({ index, payload, type }) => {
    const decoded = type === "configuration" ? decodeConfiguration(payload) : undefined
    return decoded?._tag === "Configuration" ? [{ index, configuration: decoded.configuration }] : []
  })

/** The content of the log when it was opened. */
export const recoveredOf = (disk: Disk): Recovered => ({
  ...LogIndex.recoveredOf(disk.files.held),
  hardState: hardStateOf(disk),
  ...(disk.lost === undefined ? {} : { isRepairing: true })
})

/** What of a simulated node survives a crash: its log, entry by entry, and its snapshots. It promises what LogStore.ts does. */
import type { HardState, LogEntry, SnapshotMark } from "../EventStore/LogEntry.ts"
import type { LogWrite, Recovered } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import type { Configuration } from "../Raft/Configuration.ts"
import { decodeConfiguration } from "../Raft/ConfigurationCodec.ts"
import type { ConfigurationAt } from "../Raft/Configurations.ts"

/** A snapshot file: durable as soon as it is there. `content` is what the machine encoded. */
export interface Snapshot extends SnapshotMark {
  readonly configuration: Configuration
  readonly content: Uint8Array
}

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
  receiving: { readonly digest: string; readonly bytes: Uint8Array } | undefined
}

export const make = (entries: ReadonlyArray<LogEntry>): Disk => ({
  hardState: { currentTerm: entries.length, votedFor: undefined },
  firstIndex: 1,
  previousTerm: 0,
  entries: [...entries],
  mark: undefined,
  snapshots: [],
  receiving: undefined
})

export const entryAt = (disk: Disk, index: number): LogEntry | undefined => disk.entries[index - disk.firstIndex]

export const lastIndexOf = (disk: Disk): number => disk.firstIndex + disk.entries.length - 1

/** Its refusals are broken invariants. */
export const write = (disk: Disk, { entries, hardState, snapshot, truncateFromIndex }: LogWrite): void => {
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
  for (const entry of entries) {
    invariant(entry.index === lastIndexOf(disk) + 1, `a gap on disk before entry ${entry.index}`)
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

/** Those that the machine can be restored from: the log reaches back to them. */
export const usableSnapshots = ({ firstIndex, snapshots }: Disk): ReadonlyArray<Snapshot> =>
  snapshots.filter(({ index }) => index >= firstIndex - 1)

export const configurationsOf = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<ConfigurationAt> =>
  entries.flatMap(({ index, payload, type }) => {
    const decoded = type === "configuration" ? decodeConfiguration(payload) : undefined
    return decoded?._tag === "Configuration" ? [{ index, configuration: decoded.configuration }] : []
  })

export const recover = (disk: Disk): Recovered => ({
  hardState: disk.hardState,
  firstIndex: disk.firstIndex,
  lastIndex: lastIndexOf(disk),
  ...(disk.firstIndex === 1 ? {} : { previousTerm: disk.previousTerm }),
  ...(disk.mark === undefined ? {} : { snapshot: disk.mark }),
  termRuns: disk.entries.flatMap(({ index, term }, at) =>
    term === disk.entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
  )
})

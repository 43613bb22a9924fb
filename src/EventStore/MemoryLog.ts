/** The log in memory: the contract of LogStore without a disk, for tests and simulations. It forgets when its scope closes. */
import { Context, Effect, Layer, Stream } from "effect"
import { invariant } from "../Invariant.ts"
import type { LogEntry, SnapshotMark } from "./LogEntry.ts"
import { type LogRoom, LogSpace } from "./LogSpace.ts"
import { compactedAway, LogStore, type LogWrite } from "./LogStore.ts"

interface Held {
  firstIndex: number
  snapshot: SnapshotMark | undefined
  /** From `firstIndex` on, without a gap. */
  entries: Array<LogEntry>
}

const lastIndexOf = ({ entries, firstIndex }: Held): number => firstIndex + entries.length - 1

function applyMark(held: Held, mark: SnapshotMark): void {
  if (mark.index <= (held.snapshot?.index ?? 0)) return
  held.snapshot = mark
  if (held.entries[mark.index - held.firstIndex]?.term === mark.term) return
  held.firstIndex = mark.index + 1
  held.entries = []
}

function applyWrite(held: Held, write: LogWrite): void {
  const { snapshot, truncateFromIndex } = write
  if (truncateFromIndex !== undefined) {
    const keptIndex = Math.max(held.firstIndex - 1, held.snapshot?.index ?? 0)
    const isWithin = truncateFromIndex > keptIndex && truncateFromIndex <= lastIndexOf(held) + 1
    invariant(isWithin, "truncation outside of the log, or of what a snapshot stands for")
    held.entries.length = truncateFromIndex - held.firstIndex
  }
  if (snapshot !== undefined) applyMark(held, snapshot)
  for (const entry of write.entries) {
    invariant(entry.index === lastIndexOf(held) + 1, "an entry does not follow the last one")
    held.entries.push(entry)
  }
}

function readRange(
  { entries, firstIndex }: Held,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): ReadonlyArray<LogEntry> {
  const found: Array<LogEntry> = []
  const from = range.fromIndex - firstIndex
  let payloadBytes = 0
  for (const entry of entries.slice(from, Math.max(from, range.toIndex - firstIndex + 1))) {
    payloadBytes += entry.payload.length
    if (found.length > 0 && payloadBytes > range.maxBytes) return found
    found.push(entry)
  }
  return found
}

const roomy: LogRoom = { _tag: "Roomy" }

/** An empty log that lives as long as its layer. It has room for ever, and compacts to the entry. */
export const layerMemory: Layer.Layer<LogStore | LogSpace> = Layer.syncContext(() => {
  const held: Held = { firstIndex: 1, snapshot: undefined, entries: [] }
  const store = LogStore.of({
    recovered: { hardState: { currentTerm: 0, votedFor: undefined }, firstIndex: 1, lastIndex: 0, termRuns: [] },
    append: (writes) =>
      Effect.sync(() => {
        for (const write of writes) applyWrite(held, write)
      }),
    read: (range) =>
      Effect.suspend(() => {
        const { fromIndex, toIndex } = range
        if (fromIndex < 1 || fromIndex > Math.min(toIndex, lastIndexOf(held))) return Effect.succeed([])
        if (fromIndex < held.firstIndex) return Effect.fail(compactedAway(fromIndex, held))
        return Effect.succeed(readRange(held, range))
      })
  })
  const space = LogSpace.of({
    firstIndex: Effect.sync(() => held.firstIndex),
    compact: ({ throughIndex }) =>
      Effect.sync(() => {
        invariant(throughIndex <= (held.snapshot?.index ?? 0), "compaction above the newest snapshot mark")
        held.entries.splice(0, Math.max(0, throughIndex + 1 - held.firstIndex))
        held.firstIndex = Math.max(held.firstIndex, throughIndex + 1)
        return held.firstIndex
      }),
    room: Effect.succeed(roomy),
    roomChanges: Stream.make(roomy)
  })
  return Context.merge(Context.make(LogStore, store), Context.make(LogSpace, space))
})

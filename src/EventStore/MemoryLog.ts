/** The log in memory: the contract of LogStore without a disk, for tests and simulations. It forgets when its scope closes. */
import { Effect, Layer } from "effect"
import { invariant } from "../Invariant.ts"
import type { LogEntry } from "./LogEntry.ts"
import { LogStore, type LogWrite } from "./LogStore.ts"

function applyWrite(entries: Array<LogEntry>, write: LogWrite): void {
  const { truncateFromIndex } = write
  if (truncateFromIndex !== undefined) {
    invariant(truncateFromIndex >= 1 && truncateFromIndex <= entries.length + 1, "truncation outside of the log")
    entries.length = truncateFromIndex - 1
  }
  for (const entry of write.entries) {
    invariant(entry.index === entries.length + 1, "an entry does not follow the last one")
    entries.push(entry)
  }
}

function readRange(
  entries: ReadonlyArray<LogEntry>,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): ReadonlyArray<LogEntry> {
  const found: Array<LogEntry> = []
  if (range.fromIndex < 1) return found
  let payloadBytes = 0
  for (const entry of entries.slice(range.fromIndex - 1, Math.max(range.fromIndex - 1, range.toIndex))) {
    payloadBytes += entry.payload.length
    if (found.length > 0 && payloadBytes > range.maxBytes) return found
    found.push(entry)
  }
  return found
}

/** An empty log that lives as long as its layer. */
export const layerMemory: Layer.Layer<LogStore> = Layer.sync(LogStore, () => {
  const entries: Array<LogEntry> = []
  return LogStore.of({
    recovered: { hardState: { currentTerm: 0, votedFor: undefined }, firstIndex: 1, lastIndex: 0, termRuns: [] },
    append: (writes) =>
      Effect.sync(() => {
        for (const write of writes) applyWrite(entries, write)
      }),
    read: (range) => Effect.sync(() => readRange(entries, range))
  })
})

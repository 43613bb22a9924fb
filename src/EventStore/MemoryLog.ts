/** The log in memory: the contract of LogStore without a disk, for tests and simulations. Its content outlives its layer. */
import { Context, Effect, Exit, FiberSet, Layer, Result, Stream } from "effect"
import { invariant } from "../Invariant.ts"
import type { HardState, LogEntry, LogWrite, Recovered, SnapshotMark } from "./LogEntry.ts"
import { type LogRoom, LogSpace } from "./LogSpace.ts"
import { compactedAway, type LogFailed, LogStore } from "./LogStore.ts"

/** The content of a log in memory. The next node that opens it finds it there. */
export interface MemoryLog {
  hardState: HardState
  firstIndex: number
  /** The term of entry `firstIndex` − 1; undefined if there is no such entry. */
  previousTerm: number | undefined
  snapshot: SnapshotMark | undefined
  /** The entries from `firstIndex` on, without a gap. */
  entries: Array<LogEntry>
}

export const makeMemoryLog = (): MemoryLog => ({
  hardState: { currentTerm: 0, votedFor: undefined },
  firstIndex: 1,
  previousTerm: undefined,
  snapshot: undefined,
  entries: []
})

type Entries = Pick<MemoryLog, "firstIndex" | "entries">

const lastIndexOf = ({ entries, firstIndex }: Entries): number => firstIndex + entries.length - 1

function applyMark(log: MemoryLog, mark: SnapshotMark): void {
  if (mark.index <= (log.snapshot?.index ?? 0)) return
  log.snapshot = mark
  if (log.entries[mark.index - log.firstIndex]?.term === mark.term) return
  log.firstIndex = mark.index + 1
  log.previousTerm = mark.term
  log.entries = []
}

/** Makes one step of a batch durable. The steps after it may still be lost. */
export function applyWrite(log: MemoryLog, write: LogWrite): void {
  const { hardState, snapshot, truncateFromIndex } = write
  if (truncateFromIndex !== undefined) {
    const keptIndex = Math.max(log.firstIndex - 1, log.snapshot?.index ?? 0)
    const isWithin = truncateFromIndex > keptIndex && truncateFromIndex <= lastIndexOf(log) + 1
    invariant(isWithin, "truncation outside of the log, or of what a snapshot stands for")
    log.entries.length = truncateFromIndex - log.firstIndex
  }
  if (snapshot !== undefined) applyMark(log, snapshot)
  if (hardState !== undefined) log.hardState = hardState
  for (const entry of write.entries) {
    invariant(entry.index === lastIndexOf(log) + 1, "an entry does not follow the last one")
    log.entries.push(entry)
  }
}

function recover(log: MemoryLog): Recovered {
  const configurationIndexes = log.entries.filter(({ type }) => type === "configuration").map(({ index }) => index)
  return {
    hardState: log.hardState,
    firstIndex: log.firstIndex,
    lastIndex: lastIndexOf(log),
    ...(log.previousTerm === undefined ? {} : { previousTerm: log.previousTerm }),
    ...(log.snapshot === undefined ? {} : { snapshot: log.snapshot }),
    ...(configurationIndexes.length === 0 ? {} : { configurationIndexes }),
    termRuns: log.entries.flatMap(({ index, term }, at) =>
      term === log.entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
    )
  }
}

/** Reads as {@link LogStore} promises. */
export function readRange(
  log: Entries,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): Result.Result<ReadonlyArray<LogEntry>, LogFailed> {
  const { entries, firstIndex } = log
  const { fromIndex, toIndex } = range
  const found: Array<LogEntry> = []
  if (fromIndex < 1 || fromIndex > Math.min(toIndex, lastIndexOf(log))) return Result.succeed(found)
  if (fromIndex < firstIndex) return Result.fail(compactedAway(fromIndex, log))
  let payloadBytes = 0
  for (const entry of entries.slice(fromIndex - firstIndex, toIndex - firstIndex + 1)) {
    payloadBytes += entry.payload.length
    if (found.length > 0 && payloadBytes > range.maxBytes) break
    found.push(entry)
  }
  return Result.succeed(found)
}

function compact(log: MemoryLog, throughIndex: number): void {
  invariant(throughIndex <= (log.snapshot?.index ?? 0), "compaction above the newest snapshot mark")
  const last = log.entries[throughIndex - log.firstIndex]
  if (last === undefined) return
  log.entries.splice(0, throughIndex + 1 - log.firstIndex)
  log.firstIndex = throughIndex + 1
  log.previousTerm = last.term
}

const roomy: LogRoom = { _tag: "Roomy" }

/** Makes a batch durable, by {@link applyWrite} of each step. */
export type Sync = (log: MemoryLog, writes: ReadonlyArray<LogWrite>) => Effect.Effect<void, LogFailed>

/** Needs no time. */
const syncAtOnce: Sync = (log, writes) =>
  Effect.sync(() => {
    for (const write of writes) applyWrite(log, write)
  })

/** Opens `log` for one user at a time. It always has room, and compacts to the entry. */
export const layerMemoryOf = (log: MemoryLog, sync: Sync = syncAtOnce): Layer.Layer<LogStore | LogSpace> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const fork = yield* FiberSet.makeRuntime<never>()
      let isSyncing = false
      const store = LogStore.of({
        recovered: recover(log),
        append: (writes) => sync(log, writes),
        appendNow: (writes, done) => {
          if (isSyncing) return false
          isSyncing = true
          const ended = (exit: Exit.Exit<void, LogFailed>) => {
            isSyncing = false
            done(exit)
          }
          if (sync === syncAtOnce) {
            for (const write of writes) applyWrite(log, write)
            ended(Exit.void)
          } else fork(Effect.map(Effect.exit(sync(log, writes)), ended))
          return true
        },
        read: (range) => Effect.suspend(() => Effect.fromResult(readRange(log, range))),
        repaired: Effect.void
      })
      const space = LogSpace.of({
        firstIndex: () => log.firstIndex,
        compact: ({ throughIndex }) =>
          Effect.sync(() => {
            compact(log, throughIndex)
            return log.firstIndex
          }),
        removableIndex: ({ throughIndex }) => Math.max(throughIndex, log.firstIndex - 1),
        keep: () => Effect.void,
        endSegment: Effect.sync(() => log.firstIndex + log.entries.length - 1),
        removeAside: Effect.void,
        room: Effect.succeed(roomy),
        roomChanges: Stream.make(roomy),
        scrub: Effect.never,
        watch: Effect.never
      })
      return Context.merge(Context.make(LogStore, store), Context.make(LogSpace, space))
    })
  )

/** A log of its own for each build: empty, and forgotten when its scope closes. */
export const layerMemory: Layer.Layer<LogStore | LogSpace> = Layer.unwrap(
  Effect.sync(() => layerMemoryOf(makeMemoryLog()))
)

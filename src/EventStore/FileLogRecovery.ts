/** Opens the segments of a directory: reads them in order, repairs a torn tail, refuses corruption. Recovery.ts decides. */
import { Effect } from "effect"
import { readEntries } from "./FileLogReader.ts"
import {
  listDirectory,
  makeDirectory,
  readWholeFile,
  renameFile,
  syncDirectory,
  syncFile,
  unlinkFile,
  withFile,
  writeAll,
  writeFileAtomically
} from "./Files.ts"
import { cutTo, prefixOf, startOver } from "./LogCut.ts"
import type { LogEntry } from "./LogEntry.ts"
import type { LogIndex } from "./LogIndex.ts"
import { LogCorrupt, type LogFailed } from "./LogStore.ts"
import { NEXT_SEGMENT } from "./NextSegment.ts"
import { emptyRecovery, type Recovery, readSegment, refusalOfChain } from "./Recovery.ts"
import { segmentName, segmentNumber } from "./Segment.ts"

/** The result of opening. `last` is the segment that takes batches; undefined for a log without segments. */
export interface OpenedLog {
  readonly held: LogIndex
  readonly batch: number
  readonly last: Recovery["last"]
}

interface TornTail {
  readonly name: string
  readonly offset: number
  readonly what: string
  readonly bytes: Uint8Array
}

/** The refusal of a log with this damage. */
export const corruptionOf = (found: { name: string; offset: number; index: number; what: string }) =>
  new LogCorrupt({
    message: `Cannot open the log: "${found.name}" at offset ${found.offset}, entry ${found.index}: ${found.what}`,
    file: found.name,
    offset: found.offset,
    index: found.index
  })

interface LastBatch {
  readonly name: string
  readonly offset: number
  readonly bytes: Uint8Array
}

/**
 * Makes the last batch durable before anybody acts on it: after a kill -9 it may be only in the page cache. This writes
 * it again, since an earlier failed sync may have marked its pages clean, and a second sync would then lie.
 */
const renew = (directory: string, { name, offset, bytes }: LastBatch) =>
  withFile(`${directory}/${name}`, "r+", (file) => Effect.andThen(writeAll(file, bytes, offset), syncFile(file)))

/** Keeps a copy of bytes that the log never acknowledged, then zeroes them, so that no later reader takes them for a batch. */
const repairTorn = Effect.fnUntraced(function* (directory: string, torn: TornTail) {
  const rest = torn.bytes.subarray(torn.offset)
  const kept = `${torn.name}.torn-at-${torn.offset}`
  yield* writeFileAtomically({ directory, name: kept, parts: [rest] })
  yield* withFile(`${directory}/${torn.name}`, "r+", (file) =>
    Effect.andThen(writeAll(file, new Uint8Array(rest.length), torn.offset), syncFile(file))
  )
  yield* Effect.logWarning(
    `Cut a torn tail off "${torn.name}" at offset ${torn.offset}: ${torn.what}; kept as "${kept}"`
  )
})

const setAside = Effect.fnUntraced(function* (directory: string, name: string) {
  yield* renameFile(`${directory}/${name}`, `${directory}/${name}.aside`)
  yield* syncDirectory(directory)
  yield* Effect.logWarning(`Set aside "${name}", which a stop left behind, as "${name}.aside"`)
})

/** Removes what {@link repairTorn}, {@link setAside} and LogCut.ts kept. */
export const removeAside = Effect.fnUntraced(function* (directory: string) {
  const names = (yield* listDirectory(directory)).filter((name) =>
    /\.(aside|damaged|(torn|damaged)-at-\d+)$/.test(name)
  )
  for (const name of names) yield* unlinkFile(`${directory}/${name}`)
  if (names.length > 0) yield* syncDirectory(directory)
})

/** The last segments without a gap. Those before a gap are compacted away, and only their files are left. */
export function lastRun(names: ReadonlyArray<string>): ReadonlyArray<string> {
  const isFollowed = (name: string, position: number) => {
    const next = names[position + 1]
    return next === undefined || segmentNumber(next) === (segmentNumber(name) ?? 0) + 1
  }
  return names.slice(names.findLastIndex((name, position) => !isFollowed(name, position)) + 1)
}

/**
 * Removes segments that the log does not need, as a durable mark says. If a removal fails, the file only takes room
 * until the next time. The last of them goes first, durably: so a crash leaves all of them, or a gap before the first
 * needed one. Any other of them may begin with a truncation of entries before it.
 */
export const removeSegmentsBelow = (directory: string, neededSegment: number) =>
  Effect.gen(function* () {
    const names = yield* listDirectory(directory)
    const needless = names.filter((name) => (segmentNumber(name) ?? neededSegment) < neededSegment)
    const last = needless.sort().pop()
    if (last === undefined) return
    yield* unlinkFile(`${directory}/${last}`)
    yield* syncDirectory(directory)
    if (needless.length === 0) return
    for (const name of needless) yield* unlinkFile(`${directory}/${name}`)
    yield* syncDirectory(directory)
  }).pipe(Effect.catchTag("LogFailed", (failure) => Effect.logWarning(`Cannot remove a segment: ${failure.message}`)))

/** Damage to a log, and the last configuration entry of its intact beginning. */
export interface LogDamage {
  readonly corrupt: LogCorrupt
  readonly configuration: LogEntry | undefined
}

/** What a start does about a log that has lost entries to damage. Without it, the start refuses the log. */
export interface LogRepair {
  /** Whether an intact snapshot stands for all entries through an index, at which the log begins. */
  readonly isCovered: (index: number) => Effect.Effect<boolean, LogFailed>
  /**
   * Notes durably that the log needs repair, before anything of it is changed. Fails if the log must be refused: then
   * nothing is changed.
   */
  readonly begin: (damage: LogDamage) => Effect.Effect<void, LogFailed | LogCorrupt>
}

interface LogOptions {
  readonly directory: string
  readonly mustExist: boolean
  readonly clusterId: string | undefined
  readonly repair?: LogRepair | undefined
}

/** The segments as a stop left them. `corrupt` is what no crash leaves; `isDamage` says that peers could make up for it. */
interface Found {
  readonly recovery: Recovery
  readonly torn: TornTail | undefined
  readonly leftover: string | undefined
  readonly lastBatch: LastBatch | undefined
  readonly corrupt: { readonly error: LogCorrupt; readonly isDamage: boolean } | undefined
}

/** Reads all segments, and changes nothing. */
const readSegments = Effect.fnUntraced(function* (
  { clusterId, directory, mustExist }: LogOptions,
  segments: ReadonlyArray<string>
): Effect.fn.Return<Found, LogFailed> {
  const recovery = emptyRecovery(clusterId)
  let torn: TornTail | undefined
  let leftover: string | undefined
  let lastBatch: LastBatch | undefined
  const found = (corrupt?: Found["corrupt"]): Found => ({ recovery, torn, leftover, lastBatch, corrupt })
  if (segments.length === 0 && mustExist) {
    const what = "no segment is left of a log that was there"
    return found({ error: corruptionOf({ name: segmentName(1), offset: 0, index: 1, what }), isDamage: true })
  }
  for (const [position, name] of segments.entries()) {
    const isLast = position === segments.length - 1
    const bytes = yield* readWholeFile(`${directory}/${name}`)
    const read = readSegment(recovery, bytes, isLast)
    const { last } = recovery
    if (read._tag !== "Leftover" && last?.lastBatchOffset !== undefined) {
      const offset = last.lastBatchOffset
      lastBatch = { name: segmentName(last.header.number), offset, bytes: bytes.subarray(offset, last.endOffset) }
    }
    switch (read._tag) {
      case "Clean":
        break
      case "TornTail":
        torn = { name, offset: read.offset, what: read.what, bytes }
        break
      case "Leftover":
        leftover = name
        break
      case "Corrupt": {
        // A later segment proves that the tail was not torn, so the damage is in that tail.
        const { name: file, offset, what } = torn === undefined ? { name, ...read } : torn
        const { index, isDamage } = read
        const error = corruptionOf({ name: file, offset, index, what: torn ? `${what}; ${read.what}` : what })
        return found({ error, isDamage })
      }
    }
  }
  const refusal = refusalOfChain(recovery)
  if (refusal === undefined) return found()
  const { segment, what } = refusal
  const index = recovery.held.lastIndex + 1
  return found({ error: corruptionOf({ name: segmentName(segment), offset: 0, index, what }), isDamage: true })
})

/** The snapshot at which the log begins is not there, or damaged. */
const uncovered = ({ firstIndex }: LogIndex): LogCorrupt =>
  new LogCorrupt({
    message: `The log begins after entry ${firstIndex - 1}, and no intact snapshot stands for what came before`,
    file: "snapshots",
    offset: 0,
    index: firstIndex - 1
  })

/** Cuts the log where its damage begins; or all of it, where nothing stands for what came before the rest. */
const cutDamaged = Effect.fnUntraced(function* (
  { clusterId, directory }: LogOptions,
  repair: LogRepair,
  damaged: { readonly segments: ReadonlyArray<string>; readonly found: Found; readonly error: LogCorrupt }
): Effect.fn.Return<OpenedLog, LogFailed | LogCorrupt> {
  const { error, found, segments } = damaged
  const prefix = yield* prefixOf({ directory, clusterId, segments, reached: found.recovery.last })
  const held = prefix?.recovery.held
  const configurationIndex = held?.configurationIndexes.at(-1)
  const configuration =
    held === undefined || configurationIndex === undefined || configurationIndex < held.firstIndex
      ? []
      : yield* readEntries(
          { directory, held },
          { fromIndex: configurationIndex, toIndex: configurationIndex, maxBytes: 1 }
        )
  yield* repair.begin({ corrupt: error, configuration: configuration[0] })
  const isUsable = held !== undefined && (held.firstIndex === 1 || (yield* repair.isCovered(held.firstIndex - 1)))
  if (prefix === undefined || !isUsable) {
    yield* startOver(directory)
    yield* Effect.logWarning(`${error.message}. All of the log is set aside, and peers give it back`)
    return { held: emptyRecovery(clusterId).held, batch: 0, last: undefined }
  }
  yield* cutTo(directory, segments, prefix)
  const { lastIndex } = prefix.recovery.held
  yield* Effect.logWarning(`${error.message}. The log is cut after entry ${lastIndex}, and peers give the rest back`)
  return { held: prefix.recovery.held, batch: prefix.recovery.batch ?? 0, last: prefix.recovery.last }
})

/** Reads all segments of `directory`, and makes it if it is missing. */
export const openLog = Effect.fnUntraced(function* (
  options: LogOptions
): Effect.fn.Return<OpenedLog, LogFailed | LogCorrupt> {
  const { directory, repair } = options
  yield* makeDirectory(directory)
  const names = (yield* listDirectory(directory)).sort()
  for (const name of names.filter((name) => name.endsWith(".tmp"))) yield* setAside(directory, name)
  // It has never held a record.
  if (names.includes(NEXT_SEGMENT)) yield* unlinkFile(`${directory}/${NEXT_SEGMENT}`)
  const segments = lastRun(names.filter((name) => segmentNumber(name) !== undefined))
  const found = yield* readSegments(options, segments)
  const { corrupt, lastBatch, leftover, recovery, torn } = found
  if (corrupt !== undefined) {
    if (repair === undefined || !corrupt.isDamage) return yield* corrupt.error
    return yield* cutDamaged(options, repair, { segments, found, error: corrupt.error })
  }
  const { firstIndex } = recovery.held
  if (repair !== undefined && firstIndex > 1 && !(yield* repair.isCovered(firstIndex - 1))) {
    return yield* cutDamaged(options, repair, { segments, found, error: uncovered(recovery.held) })
  }
  // The whole chain is read by now. Until here nothing was changed, so a refused log stays as it was.
  if (lastBatch !== undefined) yield* renew(directory, lastBatch)
  if (leftover !== undefined) yield* setAside(directory, leftover)
  if (torn !== undefined) yield* repairTorn(directory, torn)
  yield* removeSegmentsBelow(directory, recovery.held.neededSegment)
  return { held: recovery.held, batch: recovery.batch ?? 0, last: recovery.last }
})

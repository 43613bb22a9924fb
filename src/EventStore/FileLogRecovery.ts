/** Opens the segments of a directory: reads them in order, repairs a torn tail, refuses corruption. Recovery.ts decides. */
import { Effect } from "effect"
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
import type { LogIndex } from "./LogIndex.ts"
import { LogCorrupt } from "./LogStore.ts"
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
const repair = Effect.fnUntraced(function* (directory: string, torn: TornTail) {
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

/** Removes what {@link repair} and {@link setAside} kept. */
export const removeAside = Effect.fnUntraced(function* (directory: string) {
  const names = (yield* listDirectory(directory)).filter((name) => /\.(aside|damaged|torn-at-\d+)$/.test(name))
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

/** Reads all segments of `directory`, and makes it if it is missing. */
export const openLog = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly mustExist: boolean
  readonly clusterId: string | undefined
}) {
  const { directory } = options
  yield* makeDirectory(directory)
  const names = (yield* listDirectory(directory)).sort()
  for (const name of names.filter((name) => name.endsWith(".tmp"))) yield* setAside(directory, name)
  // It has never held a record.
  if (names.includes(NEXT_SEGMENT)) yield* unlinkFile(`${directory}/${NEXT_SEGMENT}`)
  const segments = lastRun(names.filter((name) => segmentNumber(name) !== undefined))
  const recovery = emptyRecovery(options.clusterId)
  let torn: TornTail | undefined
  let leftover: string | undefined
  let lastBatch: LastBatch | undefined
  if (segments.length === 0 && options.mustExist) {
    const what = "no segment is left of a log that was there"
    return yield* corruptionOf({ name: segmentName(1), offset: 0, index: 1, what })
  }
  for (const [position, name] of segments.entries()) {
    const isLast = position === segments.length - 1
    const bytes = yield* readWholeFile(`${directory}/${name}`)
    const read = readSegment(recovery, bytes, isLast)
    const { last } = recovery
    if (read._tag !== "Leftover" && last?.lastBatchOffset !== undefined) {
      const offset = last.lastBatchOffset
      lastBatch = { name, offset, bytes: bytes.subarray(offset, last.endOffset) }
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
        return yield* corruptionOf({
          name: file,
          offset,
          index: read.index,
          what: torn ? `${what}; ${read.what}` : what
        })
      }
    }
  }
  const refusal = refusalOfChain(recovery)
  if (refusal !== undefined) {
    const { segment, what } = refusal
    return yield* corruptionOf({ name: segmentName(segment), offset: 0, index: recovery.held.lastIndex + 1, what })
  }
  // The whole chain is read by now. Until here nothing was changed, so a refused log stays as it was.
  if (lastBatch !== undefined) yield* renew(directory, lastBatch)
  if (leftover !== undefined) yield* setAside(directory, leftover)
  if (torn !== undefined) yield* repair(directory, torn)
  yield* removeSegmentsBelow(directory, recovery.held.neededSegment)
  return { held: recovery.held, batch: recovery.batch ?? 0, last: recovery.last } satisfies OpenedLog
})

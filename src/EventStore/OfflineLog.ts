/**
 * Reads the log of a directory on which no node runs, and changes nothing: a torn tail, which a start would cut off, is
 * left where it is and not read. FileLogRecovery.ts opens a log to write it.
 */
import { Effect } from "effect"
import { readEntries } from "./FileLogReader.ts"
import { corruptionOf, lastRun } from "./FileLogRecovery.ts"
import { listDirectory, readWholeFile } from "./Files.ts"
import type { LogIndex } from "./LogIndex.ts"
import type { LogCorrupt, LogFailed, LogStore } from "./LogStore.ts"
import { emptyRecovery, readSegment, refusalOfChain } from "./Recovery.ts"
import { segmentName, segmentNumber } from "./Segment.ts"

/** A log that is read where it lies. */
export interface OfflineLog {
  readonly held: Readonly<LogIndex>
  readonly segmentsCount: number
  /** Where bytes begin that the log never acknowledged, and what is wrong with them; undefined if there are none. */
  readonly torn: { readonly file: string; readonly offset: number; readonly what: string } | undefined
  readonly read: LogStore["Service"]["read"]
}

/** Reads and checks all segments of the folder `directory`. Fails with LogCorrupt as a start would. */
export const openOfflineLog = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly clusterId: string | undefined
}): Effect.fn.Return<OfflineLog, LogFailed | LogCorrupt> {
  const { clusterId, directory } = options
  const names = (yield* listDirectory(directory)).sort()
  const segments = lastRun(names.filter((name) => segmentNumber(name) !== undefined))
  if (segments.length === 0) {
    return yield* corruptionOf({ name: segmentName(1), offset: 0, index: 1, what: "the log has no segment" })
  }
  const recovery = emptyRecovery(clusterId)
  let torn: OfflineLog["torn"]
  for (const [position, name] of segments.entries()) {
    const read = readSegment(recovery, yield* readWholeFile(`${directory}/${name}`), position === segments.length - 1)
    if (read._tag === "TornTail") torn = { file: name, offset: read.offset, what: read.what }
    if (read._tag !== "Corrupt") continue
    const { index, offset, what } = read
    // A later segment proves that the tail was not torn, so the damage is in that tail.
    return yield* torn === undefined
      ? corruptionOf({ name, offset, index, what })
      : corruptionOf({ name: torn.file, offset: torn.offset, index, what: `${torn.what}; ${what}` })
  }
  const refusal = refusalOfChain(recovery)
  if (refusal !== undefined) {
    const { segment, what } = refusal
    return yield* corruptionOf({ name: segmentName(segment), offset: 0, index: recovery.held.lastIndex + 1, what })
  }
  const { held } = recovery
  return { held, torn, segmentsCount: segments.length, read: (range) => readEntries({ directory, held }, range) }
})

/**
 * Cuts a damaged log off where its damage begins, so that peers can give back the rest (Raft/core/Repair.ts). What is cut
 * off stays beside the log under names that no start reads. FileLogRecovery.ts finds the damage and calls this.
 *
 * The log that is left is one that the node once had, and perhaps not its last: records behind the damage may have
 * truncated or replaced entries of it. The note of the repair (RepairMark.ts) is durable before the first change here. A
 * crash at any point leaves a log that the next start cuts again, or one that is cut already.
 */
import { Effect } from "effect"
import { enterSegment } from "./Compaction.ts"
import {
  listDirectory,
  readWholeFile,
  renameFile,
  syncDirectory,
  syncFile,
  withFile,
  writeAll,
  writeFileAtomically
} from "./Files.ts"
import { termAt } from "./LogIndex.ts"
import { emptyRecovery, type Recovery, readSegment, refusalOfChain } from "./Recovery.ts"
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName, segmentNumber } from "./Segment.ts"
import { newSalt } from "./SegmentFile.ts"

/** The longest intact beginning of a log. */
export interface Prefix {
  readonly recovery: Recovery
  /** The names of its segments. The last of them may go on behind `endOffset`. */
  readonly names: ReadonlyArray<string>
  readonly endOffset: number
}

/**
 * Reads the beginning of the log that was found corrupt after `reached`. Undefined if no entry of it can be used: its
 * first segment is damaged, or lacks the segments before it.
 */
export const prefixOf = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly clusterId: string | undefined
  readonly segments: ReadonlyArray<string>
  readonly reached: Recovery["last"]
}) {
  const { clusterId, directory, reached, segments } = options
  if (reached === undefined) return undefined
  const names = segments.slice(0, segments.indexOf(segmentName(reached.header.number)) + 1)
  const recovery = emptyRecovery(clusterId)
  for (const [position, name] of names.entries()) {
    const isLast = position === names.length - 1
    const bytes = new Uint8Array(yield* readWholeFile(`${directory}/${name}`))
    if (isLast) bytes.fill(0, reached.endOffset)
    if (readSegment(recovery, bytes, isLast)._tag !== "Clean") return undefined
  }
  const { last } = recovery
  if (last === undefined) return undefined
  // A sealed segment gets a successor.
  const chain = refusalOfChain({ ...recovery, last: { ...last, sealed: false } })
  return chain === undefined ? ({ recovery, names, endOffset: reached.endOffset } satisfies Prefix) : undefined
})

const ASIDE = ".damaged"

/** Renames the last ones first: a crash leaves a log without a gap. */
const setAside = Effect.fnUntraced(function* (directory: string, names: ReadonlyArray<string>) {
  for (const name of [...names].reverse()) {
    yield* renameFile(`${directory}/${name}`, `${directory}/${name}${ASIDE}`)
    yield* syncDirectory(directory)
  }
})

/** Sets all segments aside, those before a gap too. The log begins anew, without an entry. */
export const startOver = Effect.fnUntraced(function* (directory: string) {
  const names = (yield* listDirectory(directory)).filter((name) => segmentNumber(name) !== undefined)
  yield* setAside(directory, names.sort())
})

/** Keeps the prefix, and only that. The last segment of its recovery then takes batches. */
export const cutTo = Effect.fnUntraced(function* (
  directory: string,
  segments: ReadonlyArray<string>,
  { endOffset, names, recovery }: Prefix
) {
  yield* setAside(directory, segments.slice(names.length))
  const name = names[names.length - 1]!
  const rest = (yield* readWholeFile(`${directory}/${name}`)).subarray(endOffset)
  if (rest.some((byte) => byte !== 0)) {
    yield* writeFileAtomically({ directory, name: `${name}${ASIDE}-at-${endOffset}`, parts: [rest] })
    yield* withFile(`${directory}/${name}`, "r+", (file) =>
      Effect.andThen(writeAll(file, new Uint8Array(rest.length), endOffset), syncFile(file))
    )
  }
  if (recovery.last?.sealed === true) yield* succeed(directory, recovery, recovery.last)
})

/** Makes the segment after a sealed one, whose own is damaged or missing. */
const succeed = Effect.fnUntraced(function* (
  directory: string,
  recovery: Recovery,
  sealed: NonNullable<Recovery["last"]>
) {
  const { held } = recovery
  const header: SegmentHeader = {
    number: sealed.header.number + 1,
    baseIndex: held.lastIndex + 1,
    baseTerm: termAt(held, held.lastIndex) ?? 0,
    sizeBytes: sealed.header.sizeBytes,
    previousChecksum: sealed.checksum,
    salt: yield* newSalt,
    clusterId: sealed.header.clusterId
  }
  const zeros = new Uint8Array(header.sizeBytes - SEGMENT_HEADER_BYTES)
  const name = segmentName(header.number)
  yield* writeFileAtomically({ directory, name, parts: [encodeSegmentHeader(header), zeros] })
  held.anchorNext = true
  enterSegment(held, header)
  recovery.last = {
    header,
    endOffset: SEGMENT_HEADER_BYTES,
    lastBatchOffset: undefined,
    checksum: 0,
    sealed: false
  }
})

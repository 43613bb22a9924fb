/** The log in files: one write and one sync per batch of appends, in segments that recovery has read. Layout in FORMAT.md. */
import { Effect, Layer, Queue, Random, Semaphore } from "effect"
import { invariant } from "../Invariant.ts"
import { checksum } from "./Bytes.ts"
import { readEntries } from "./FileLogReader.ts"
import { type OpenedLog, openLog } from "./FileLogRecovery.ts"
import { closeFile, openFile, syncData, writeAll, writeFileAtomically } from "./Files.ts"
import { index, recoveredOf, refusalOf } from "./LogIndex.ts"
import { type LogCorrupt, LogFailed, LogStore, type LogWrite } from "./LogStore.ts"
import { bodyBytes, encodeRecord, type RecordBody, recordBytes } from "./Record.ts"
import {
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SIZE_BYTES_DEFAULT,
  type SegmentHeader,
  segmentName
} from "./Segment.ts"

export interface FileLogOptions {
  /** The folder of the segments; made when it is missing. */
  readonly directory: string
  readonly segmentSizeBytes?: number
  /** Refuses a folder without segments: a node that has formed or joined a cluster has made its log before. */
  readonly mustExist?: boolean
}

/** The log falls idle after this long without a batch; its durable-through mark is then written (RAFT core rule: within 100 ms). */
const IDLE_MS = 50

const SEAL_BYTES = recordBytes(0)

/** The segment that takes batches. */
interface Active {
  readonly header: SegmentHeader
  readonly file: number
  endOffset: number
  checksum: number
  /** Whether a batch is in it: the first one repeats the hard state. */
  isEntered: boolean
}

function bodiesOf(writes: ReadonlyArray<LogWrite>): Array<RecordBody> {
  const bodies: Array<RecordBody> = []
  for (const { truncateFromIndex, hardState, entries } of writes) {
    if (truncateFromIndex !== undefined) bodies.push({ _tag: "TruncateFrom", fromIndex: truncateFromIndex })
    if (hardState !== undefined) bodies.push({ _tag: "HardState", hardState })
    for (const entry of entries) bodies.push({ _tag: "Entry", entry })
  }
  return bodies
}

/** Checks a batch before a byte of it is written: what recovery would refuse is a programmer error here. */
function checkBodies(bodies: ReadonlyArray<RecordBody>, held: { readonly lastIndex: number }): void {
  let lastIndex = held.lastIndex
  for (const body of bodies) {
    const refusal = refusalOf(body, { lastIndex })
    invariant(refusal === undefined, `cannot append: ${refusal}`)
    if (body._tag === "Entry") lastIndex = body.entry.index
    if (body._tag === "TruncateFrom") lastIndex = body.fromIndex - 1
  }
}

const makeSegment = Effect.fnUntraced(function* (directory: string, header: Omit<SegmentHeader, "salt">) {
  const salt = new Uint8Array(8)
  for (let at = 0; at < salt.length; at++) salt[at] = yield* Random.nextIntBetween(0, 256)
  const made: SegmentHeader = { ...header, salt }
  const zeros = new Uint8Array(header.sizeBytes - SEGMENT_HEADER_BYTES)
  yield* writeFileAtomically({
    directory,
    name: segmentName(header.number),
    parts: [encodeSegmentHeader(made), zeros]
  })
  return made
})

const openActive = Effect.fnUntraced(function* (directory: string, from: Omit<Active, "file">) {
  const file = yield* openFile(`${directory}/${segmentName(from.header.number)}`, "r+")
  return { ...from, file } satisfies Active
})

const freshActive = Effect.fnUntraced(function* (directory: string, header: Omit<SegmentHeader, "salt">) {
  const made = yield* makeSegment(directory, header)
  return yield* openActive(directory, {
    header: made,
    endOffset: SEGMENT_HEADER_BYTES,
    checksum: 0,
    isEntered: false
  })
})

const make = Effect.fnUntraced(function* (options: FileLogOptions) {
  const { directory } = options
  const segmentSizeBytes = options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES_DEFAULT
  invariant(segmentSizeBytes >= 4096 && segmentSizeBytes % 8 === 0, "a segment is at least 4096 bytes, a multiple of 8")
  const opened: OpenedLog = yield* openLog({ directory, mustExist: options.mustExist ?? false })
  const { held, last } = opened
  let batch = opened.batch
  let markedBatch = batch
  let poison: LogFailed | undefined
  const turn = yield* Semaphore.make(1)
  const written = yield* Queue.sliding<void>(1)

  let active: Active = yield* last === undefined
    ? freshActive(directory, {
        number: 1,
        baseIndex: 1,
        sizeBytes: segmentSizeBytes,
        previousChecksum: 0,
        clusterId: undefined
      })
    : openActive(directory, { ...last, isEntered: last.endOffset > SEGMENT_HEADER_BYTES })

  /** Writes one batch into the active segment, where it must fit, and syncs. */
  const writeBatch = Effect.fnUntraced(function* (bodies: ReadonlyArray<RecordBody>, sizeBytes: number) {
    const { header, file, endOffset } = active
    const bytes = new Uint8Array(sizeBytes)
    const offsets: Array<number> = []
    let at = 0
    for (const [position, body] of bodies.entries()) {
      const offset = endOffset + at
      offsets.push(offset)
      const record = { batch: batch + 1, endsBatch: position === bodies.length - 1, body }
      at += encodeRecord(record, { target: bytes, at, place: { salt: header.salt, offset } })
    }
    yield* writeAll(file, bytes, endOffset)
    yield* syncData(file)
    batch += 1
    active.endOffset += sizeBytes
    active.checksum = checksum(bytes, active.checksum)
    active.isEntered = true
    bodies.forEach((body, position) => {
      index(held, body, { segment: header.number, offset: offsets[position]! })
    })
  })

  /** Makes the next segment, then seals this one: a sealed segment without a successor is thus always corruption. */
  const roll = Effect.fnUntraced(function* (neededBytes: number) {
    const seal: RecordBody = { _tag: "Seal", lastIndex: held.lastIndex }
    const place = { salt: active.header.salt, offset: active.endOffset }
    const sealBytes = new Uint8Array(SEAL_BYTES)
    encodeRecord({ batch: batch + 1, endsBatch: true, body: seal }, { target: sealBytes, at: 0, place })
    const next = yield* freshActive(directory, {
      number: active.header.number + 1,
      baseIndex: held.lastIndex + 1,
      sizeBytes: Math.max(segmentSizeBytes, Math.ceil(neededBytes / 4096) * 4096),
      previousChecksum: checksum(sealBytes, active.checksum),
      clusterId: active.header.clusterId
    })
    yield* writeBatch([seal], SEAL_BYTES)
    yield* closeFile(active.file)
    held.anchorNext = true
    active = next
  })

  const appendBodies = Effect.fnUntraced(function* (bodies: ReadonlyArray<RecordBody>) {
    const hardState: RecordBody = { _tag: "HardState", hardState: held.hardState }
    const bodiesBytes = bodies.reduce((sum, body) => sum + bodyBytes(body), 0)
    const headBytes = bodyBytes(hardState)
    const needed = (active.isEntered ? 0 : headBytes) + bodiesBytes
    if (active.endOffset + needed + SEAL_BYTES > active.header.sizeBytes) {
      yield* roll(SEGMENT_HEADER_BYTES + headBytes + bodiesBytes + SEAL_BYTES)
    }
    if (active.isEntered) yield* writeBatch(bodies, bodiesBytes)
    else yield* writeBatch([hardState, ...bodies], headBytes + bodiesBytes)
  })

  /** One batch at a time, to its end; after a failure, none: what the disk holds is then unknown, and a sync never retried. */
  const exclusively = (work: Effect.Effect<void, LogFailed>) =>
    turn.withPermits(1)(
      Effect.uninterruptible(
        Effect.suspend(() => {
          if (poison !== undefined) return Effect.fail(poison)
          return Effect.tapError(work, (failure) =>
            Effect.sync(() => {
              poison = new LogFailed({ message: `The log is poisoned: ${failure.message}`, cause: failure })
            })
          )
        })
      )
    )

  const append = (writes: ReadonlyArray<LogWrite>) => {
    const bodies = bodiesOf(writes)
    if (bodies.length === 0) return Effect.void
    const work = Effect.suspend(() => {
      checkBodies(bodies, held)
      return appendBodies(bodies)
    })
    return Effect.andThen(exclusively(work), Queue.offer(written, undefined)).pipe(Effect.asVoid)
  }

  const mark = Effect.suspend(() => {
    if (markedBatch === batch) return Effect.void
    const durable: RecordBody = { _tag: "DurableThrough", batch }
    return Effect.tap(appendBodies([durable]), () =>
      Effect.sync(() => {
        markedBatch = batch
      })
    )
  })

  const markWhenIdle = Effect.gen(function* () {
    yield* Queue.take(written)
    let seen = -1
    while (seen !== batch) {
      seen = batch
      yield* Effect.sleep(IDLE_MS)
    }
    yield* exclusively(mark)
  })
  // A failure has poisoned the log by then: the next append reports it.
  yield* Effect.forkScoped(Effect.ignore(Effect.forever(markWhenIdle)))
  // The mark on closing saves the next start a doubt, no more: damage to the last batch is then told from a torn tail.
  yield* Effect.addFinalizer(() =>
    Effect.ignore(exclusively(mark)).pipe(Effect.andThen(Effect.ignore(closeFile(active.file))))
  )

  return LogStore.of({
    recovered: recoveredOf(held),
    append,
    read: (range) => readEntries({ directory, held }, range)
  })
})

/** The log in `directory`; it fails with LogCorrupt when the files hold what no crash leaves behind. */
export function layerFile(options: FileLogOptions): Layer.Layer<LogStore, LogFailed | LogCorrupt> {
  return Layer.effect(LogStore, make(options))
}

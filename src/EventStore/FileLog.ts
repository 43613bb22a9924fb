/** The log in files: one write and one sync per batch of appends, in segments that recovery has read. Layout in FORMAT.md. */
import { Context, Deferred, Effect, Layer, Queue, Result, Semaphore, SubscriptionRef } from "effect"
import { invariant } from "../Invariant.ts"
import { checksum } from "./Bytes.ts"
import { enterSegment, firstSegmentAfter } from "./Compaction.ts"
import { readEntries } from "./FileLogReader.ts"
import { openLog, removeSegmentsBelow } from "./FileLogRecovery.ts"
import { closeFile, identityAt, identityOf, isFile, isSame, listDirectory } from "./Files.ts"
import { batchOf, beginningAt, type LogBatch } from "./LogBatch.ts"
import type { LogWrite } from "./LogEntry.ts"
import { index, recoveredOf, termAt } from "./LogIndex.ts"
import { LogSpace } from "./LogSpace.ts"
import { type LogCorrupt, LogFailed, LogStore } from "./LogStore.ts"
import { makeNextSegment } from "./NextSegment.ts"
import { bodyBytes, type RecordBody, recordBytes } from "./Record.ts"
import { scrub, scrubPauseMsDefault } from "./Scrub.ts"
import { SEGMENT_HEADER_BYTES, SEGMENT_SIZE_BYTES_DEFAULT, segmentName } from "./Segment.ts"
import {
  encodeBatch,
  isEntered,
  makeFirstSegment,
  newSalt,
  openSegmentFile,
  type SegmentFile,
  writeBatchBytes
} from "./SegmentFile.ts"
import { missingOfMany, watch } from "./Watch.ts"

export interface FileLogOptions {
  /** The folder of the segments; made when it is missing. */
  readonly directory: string
  readonly segmentSizeBytes?: number
  /** Refuses a folder without segments: a node that has formed or joined a cluster has made its log before. */
  readonly mustExist?: boolean
  /** Between two chunks of a quarter of a mebibyte that are read again; 250 unless given. */
  readonly scrubPauseMs?: number
  /** Stands in every segment from now on; a log of another cluster is refused. */
  readonly clusterId?: string
}

/** The log falls idle after this long without a batch; its durable-through mark is then written (docs/raft.md: within 100 ms). */
const IDLE_MS = 50

/** How long the next segment is not tried again after a failure that is not for want of space. */
const RETRY_MS = 1000

const SEAL_BYTES = recordBytes(0)

const make = Effect.fnUntraced(function* (options: FileLogOptions) {
  const { clusterId, directory } = options
  const segmentSizeBytes = options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES_DEFAULT
  invariant(segmentSizeBytes >= 4096 && segmentSizeBytes % 8 === 0, "a segment is at least 4096 bytes, a multiple of 8")
  const opened = yield* openLog({ directory, mustExist: options.mustExist ?? false, clusterId })
  const { held, last } = opened
  let batch = opened.batch
  let markedBatch = batch
  let poison: LogFailed | undefined
  const turn = yield* Semaphore.make(1)
  const written = yield* Queue.sliding<void>(1)
  const halfFull = yield* Queue.sliding<number>(1)
  const closing = yield* Deferred.make<never, LogFailed>()
  const next = yield* makeNextSegment(directory)

  const makeFirst = Effect.gen(function* () {
    const header = yield* makeFirstSegment(directory, { sizeBytes: segmentSizeBytes, clusterId })
    enterSegment(held, header)
    return yield* openSegmentFile(directory, header)
  })
  let active: SegmentFile = yield* last === undefined ? makeFirst : openSegmentFile(directory, last.header, last)

  const tellWhenHalfFull = Effect.suspend(() =>
    active.endOffset * 2 > active.header.sizeBytes ? Queue.offer(halfFull, active.header.number) : Effect.void
  )

  /** Writes one batch into the active segment, where it must fit, and syncs. */
  const writeBatch = Effect.fnUntraced(function* (bodies: ReadonlyArray<RecordBody>, sizeBytes: number) {
    const { bytes, offsets } = encodeBatch(active, { number: batch + 1, bodies, sizeBytes })
    yield* writeBatchBytes(active, bytes)
    batch += 1
    bodies.forEach((body, position) => {
      index(held, body, { segment: active.header.number, offset: offsets[position]! })
    })
  })

  /** Enters the next segment, then seals this one: a sealed segment without a successor is thus always corruption. */
  const roll = Effect.gen(function* () {
    const seal: RecordBody = { _tag: "Seal", lastIndex: held.lastIndex }
    const sealBatch = { number: batch + 1, bodies: [seal], sizeBytes: SEAL_BYTES }
    const header = yield* next.enter({
      number: active.header.number + 1,
      baseIndex: held.lastIndex + 1,
      baseTerm: termAt(held, held.lastIndex) ?? 0,
      previousChecksum: checksum(encodeBatch(active, sealBatch).bytes, active.checksum),
      salt: yield* newSalt,
      clusterId: clusterId ?? active.header.clusterId
    })
    yield* writeBatch([seal], SEAL_BYTES)
    held.anchorNext = true
    enterSegment(held, header)
    const sealed = active
    active = yield* openSegmentFile(directory, header)
    yield* closeFile(sealed.file)
  })

  const headOf = (): RecordBody => ({ _tag: "HardState", hardState: held.hardState })
  const sizeOf = (bodies: ReadonlyArray<RecordBody>) => bodies.reduce((sum, body) => sum + bodyBytes(body), 0)

  /** A batch that begins the log anew begins a segment too: those before it are of no use then. */
  const mustRoll = ({ bodies, restarts }: LogBatch) => {
    if (restarts && isEntered(active)) return true
    const neededBytes = sizeOf(bodies) + (isEntered(active) ? 0 : bodyBytes(headOf()))
    return active.endOffset + neededBytes + SEAL_BYTES > active.header.sizeBytes
  }

  /** Waits until there is room for the batch. Nothing of it is written yet: whoever waits may give up. */
  const roomFor = (batch: LogBatch) =>
    Effect.suspend(() => {
      if (!mustRoll(batch)) return Effect.void
      const neededBytes = SEGMENT_HEADER_BYTES + bodyBytes(headOf()) + sizeOf(batch.bodies) + SEAL_BYTES
      const sizeBytes = Math.max(segmentSizeBytes, Math.ceil(neededBytes / 4096) * 4096)
      return Effect.raceFirst(next.prepare({ after: active.header.number, sizeBytes }), Deferred.await(closing))
    })

  const appendBatch = Effect.fnUntraced(function* (batch: LogBatch) {
    if (mustRoll(batch)) yield* roll
    const bodies = batch.restarts ? beginningAt(batch, active.header.number) : batch.bodies
    const all = isEntered(active) ? bodies : [headOf(), ...bodies]
    yield* writeBatch(all, sizeOf(all))
    yield* tellWhenHalfFull
    if (batch.restarts) yield* removeSegmentsBelow(directory, held.neededSegment)
  })

  const poisoning = <A>(work: Effect.Effect<A, LogFailed>) =>
    Effect.tapError(work, (failure) =>
      Effect.sync(() => {
        poison = new LogFailed({ message: `The log is poisoned: ${failure.message}`, cause: failure })
      })
    )

  /** One batch at a time, to its end; after a failure, none: what the disk holds is then unknown, and a sync never retried. */
  const exclusively = (batchNow: () => LogBatch | undefined, done: Effect.Effect<void> = Effect.void) =>
    turn.withPermits(1)(
      Effect.suspend(() => {
        if (poison !== undefined) return Effect.fail(poison)
        const batch = batchNow()
        if (batch === undefined) return Effect.void
        const room = roomFor(batch)
        return Effect.andThen(
          poisoning(room),
          Effect.uninterruptible(Effect.andThen(poisoning(appendBatch(batch)), done))
        )
      })
    )

  const append = (writes: ReadonlyArray<LogWrite>) =>
    Effect.andThen(
      exclusively(() => {
        const batch = batchOf(writes, held)
        return batch.bodies.length === 0 ? undefined : batch
      }),
      Queue.offer(written, undefined)
    ).pipe(Effect.asVoid)

  const compact = Effect.fnUntraced(function* ({ throughIndex }: { readonly throughIndex: number }) {
    yield* exclusively(() => {
      const mark = held.snapshot
      invariant(
        throughIndex <= (mark?.index ?? 0),
        `cannot compact through ${throughIndex}: no snapshot stands for that`
      )
      const firstSegment = firstSegmentAfter(held, throughIndex)
      if (mark === undefined || firstSegment <= held.neededSegment) return undefined
      return { bodies: [{ _tag: "SnapshotMark", mark, restarts: false, firstSegment }], restarts: false }
    })
    yield* removeSegmentsBelow(directory, held.neededSegment)
    return held.firstIndex
  })

  const durableMark = (): LogBatch | undefined =>
    markedBatch === batch ? undefined : { bodies: [{ _tag: "DurableThrough", batch }], restarts: false }
  const mark = exclusively(
    durableMark,
    Effect.sync(() => {
      markedBatch = batch
    })
  )

  const markWhenIdle = Effect.gen(function* () {
    yield* Queue.take(written)
    let seen = -1
    while (seen !== batch) {
      seen = batch
      yield* Effect.sleep(IDLE_MS)
    }
    yield* mark
  })
  const prepareWhenHalfFull = Effect.gen(function* () {
    const after = yield* Queue.take(halfFull)
    // The append that needs it tries again, and reports what comes of that.
    yield* Effect.catchTag(next.prepare({ after, sizeBytes: segmentSizeBytes }), "LogFailed", ({ message }) =>
      Effect.andThen(Effect.logWarning(message), Effect.sleep(RETRY_MS))
    )
  })

  // On closing, the fibers below end before this runs. The mark saves the next start a doubt, no more: damage to the
  // last batch is then told from a torn tail. It is not worth waiting for room.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      const last = durableMark()
      return last === undefined || (mustRoll(last) && next.readyBytes() < segmentSizeBytes) ? Effect.void : mark
    }).pipe(Effect.ignore, Effect.andThen(Effect.ignore(closeFile(active.file))), Effect.andThen(next.remove))
  )
  // A failure has poisoned the log by then: the next append reports it.
  yield* Effect.forkScoped(Effect.ignore(Effect.forever(markWhenIdle)))
  yield* Effect.forkScoped(Effect.forever(prepareWhenHalfFull))
  yield* tellWhenHalfFull
  yield* Effect.addFinalizer(() =>
    Deferred.fail(
      closing,
      new LogFailed({ message: `Cannot append in "${directory}": no room, and the log is closing` })
    )
  )

  const missingSegment = missingOfMany({
    needed: () => held.segments,
    nameOf: ({ number }) => segmentName(number),
    list: listDirectory(directory),
    isThere: (name) => isFile(`${directory}/${name}`)
  })

  /** The segments that hold the log have their names still, and the one in use is the file that is written. */
  const lost = Effect.gen(function* () {
    const missing = yield* missingSegment
    if (missing !== undefined) return `"${directory}/${missing}" is missing`
    const segment = active
    const path = `${directory}/${segmentName(segment.header.number)}`
    const [named, written] = yield* Effect.all([
      Effect.result(identityAt(path)),
      Effect.result(identityOf(segment.file))
    ])
    if (Result.isSuccess(named) && Result.isSuccess(written) && isSame(named.success, written.success)) return undefined
    // It was left for the next one meanwhile: that one is looked at the next time.
    return segment === active ? `"${path}" is missing, or another file` : undefined
  })

  const store = LogStore.of({
    recovered: recoveredOf(held),
    append,
    read: (range) => readEntries({ directory, held }, range)
  })
  const space = LogSpace.of({
    firstIndex: Effect.sync(() => held.firstIndex),
    compact,
    room: SubscriptionRef.get(next.room),
    roomChanges: SubscriptionRef.changes(next.room),
    scrub: scrub({
      directory,
      pauseMs: options.scrubPauseMs ?? scrubPauseMsDefault,
      sealed: () => held.segments.map(({ number }) => number).filter((number) => number < active.header.number)
    }),
    watch: poisoning(watch(lost))
  })
  return Context.merge(Context.make(LogStore, store), Context.make(LogSpace, space))
})

/** The log in `directory`; it fails with LogCorrupt when the files hold what no crash leaves behind. */
export function layerFile(options: FileLogOptions): Layer.Layer<LogStore | LogSpace, LogFailed | LogCorrupt> {
  return Layer.effectContext(make(options))
}

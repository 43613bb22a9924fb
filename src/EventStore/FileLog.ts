/** The log in files: one write and one sync for each batch of appends, in segments. FORMAT.md has the layout, FileLogRecovery.ts opens it. */
import { Context, Deferred, Effect, Exit, Latch, Layer, Queue, Semaphore, SubscriptionRef } from "effect"
import { invariant } from "../Invariant.ts"
import { checksum } from "./Bytes.ts"
import { enterSegment, firstSegmentAfter } from "./Compaction.ts"
import { readEntries } from "./FileLogReader.ts"
import { type LogRepair, openLog, removeAside, removeSegmentsBelow } from "./FileLogRecovery.ts"
import { lostFile } from "./FileLogWatch.ts"
import { FileSystem } from "./FileSystem.ts"
import { closeFile } from "./Files.ts"
import { batchOf, beginningAt, type LogBatch } from "./LogBatch.ts"
import type { LogWrite } from "./LogEntry.ts"
import { recoveredOf, termAt } from "./LogIndex.ts"
import { LogSpace } from "./LogSpace.ts"
import { type LogCorrupt, LogFailed, LogStore } from "./LogStore.ts"
import { makeNextSegment } from "./NextSegment.ts"
import { bodyBytes, type RecordBody, recordBytes } from "./Record.ts"
import { scrub, scrubPauseMsDefault } from "./Scrub.ts"
import { SEGMENT_HEADER_BYTES, SEGMENT_SIZE_BYTES_DEFAULT } from "./Segment.ts"
import {
  encodeBatch,
  isEntered,
  makeFirstSegment,
  newSalt,
  openSegmentFile,
  type SegmentFile,
  writeBatchBytes,
  writeBatchNow
} from "./SegmentFile.ts"
import { takeRecord } from "./takeRecord.ts"
import { watch } from "./Watch.ts"

export interface FileLogOptions {
  /** The folder of the segments, made if it is missing. */
  readonly directory: string
  readonly segmentSizeBytes?: number
  /** Refuses a folder without segments. A node that has formed or joined a cluster already has a log. */
  readonly mustExist?: boolean
  /** The pause of the scrub between two chunks of 256 KiB. 250 by default. */
  readonly scrubPauseMs?: number
  /** Written into every segment from now on. The log of another cluster is refused. */
  readonly clusterId?: string
  /** What is done about damage. Without it a damaged log is refused. */
  readonly repair?: LogRepair
}

/** After this long without a batch the log is idle, and writes its durable-through mark (docs/raft.md: within 100 ms). */
const IDLE_MS = 50

/** The pause before another try to make the next segment, after a failure other than a full disk. */
const RETRY_MS = 1000

/** The limit of a batch that this thread writes. A larger one would keep it too long, so another thread writes that. */
const WRITTEN_NOW_MAX_BYTES = 256 * 1024

const SEAL_BYTES = recordBytes(0)

const make = Effect.fnUntraced(function* (options: FileLogOptions) {
  const { clusterId, directory } = options
  const segmentSizeBytes = options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES_DEFAULT
  invariant(segmentSizeBytes >= 4096 && segmentSizeBytes % 8 === 0, "a segment is at least 4096 bytes, a multiple of 8")
  const { mustExist = false, repair } = options
  const opened = yield* openLog({ directory, mustExist, clusterId, repair })
  const { held, last } = opened
  let batch = opened.batch
  let markedBatch = batch
  let poison: LogFailed | undefined
  const system = yield* FileSystem
  /** The turn to write by an Effect: one batch at a time. */
  const turn = yield* Semaphore.make(1)
  /** How many Effects have it or wait for it. */
  let turnsCount = 0
  let isWritingNow = false
  /** Open unless `isWritingNow`: a batch of `appendNow` is under way. */
  const idle = Latch.makeUnsafe(true)
  const written = yield* Queue.sliding<void>(1)
  const halfFull = yield* Queue.sliding<number>(1)
  const closing = yield* Deferred.make<never, LogFailed>()
  let isClosing = false
  const next = yield* makeNextSegment(directory)

  const makeFirst = Effect.gen(function* () {
    const header = yield* makeFirstSegment(directory, { sizeBytes: segmentSizeBytes, clusterId })
    enterSegment(held, header)
    return yield* openSegmentFile(directory, header)
  })
  let active: SegmentFile = yield* last === undefined ? makeFirst : openSegmentFile(directory, last.header, last)

  const tellWhenHalfFull = () => {
    if (active.endOffset * 2 > active.header.sizeBytes) Queue.offerUnsafe(halfFull, active.header.number)
  }

  /** Writes one batch into the active segment, where it must fit, and syncs. */
  const writeBatch = Effect.fnUntraced(function* (bodies: ReadonlyArray<RecordBody>, sizeBytes: number) {
    const { bytes, offsets } = encodeBatch(active, { number: batch + 1, bodies, sizeBytes })
    yield* writeBatchBytes(active, bytes)
    takeIn(bodies, offsets)
  })

  /** The batch is durable. */
  const takeIn = (bodies: ReadonlyArray<RecordBody>, offsets: ReadonlyArray<number>) => {
    batch += 1
    for (let at = 0; at < bodies.length; at++) {
      takeRecord(held, bodies[at]!, { segment: active.header.number, offset: offsets[at]! })
    }
  }

  /** Enters the next segment, then seals this one. So a sealed segment without a successor is always corruption. */
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
  const sizeOf = (bodies: ReadonlyArray<RecordBody>) => {
    let bytes = 0
    for (const body of bodies) bytes += bodyBytes(body)
    return bytes
  }

  /** Whether the batch needs another segment. A batch that begins the log anew begins a segment too. */
  const mustRoll = ({ begins, bodies, restarts }: LogBatch, sizeBytes = sizeOf(bodies)) => {
    if ((restarts || begins === true) && isEntered(active)) return true
    const neededBytes = sizeBytes + (isEntered(active) ? 0 : bodyBytes(headOf()))
    return active.endOffset + neededBytes + SEAL_BYTES > active.header.sizeBytes
  }

  /** Waits until there is room for the batch. Nothing of it is written yet, so the caller may give up. */
  const roomFor = (batch: LogBatch) =>
    Effect.suspend(() => {
      if (!mustRoll(batch)) return Effect.void
      const neededBytes = SEGMENT_HEADER_BYTES + bodyBytes(headOf()) + sizeOf(batch.bodies) + SEAL_BYTES
      const sizeBytes = Math.max(segmentSizeBytes, Math.ceil(neededBytes / 4096) * 4096)
      return Effect.raceFirst(
        next.prepare({ after: active.header.number, sizeBytes, isAwaited: true }),
        Deferred.await(closing)
      )
    })

  const appendBatch = Effect.fnUntraced(function* (batch: LogBatch) {
    if (mustRoll(batch)) yield* roll
    const bodies = batch.restarts ? beginningAt(batch, active.header.number) : batch.bodies
    const all = isEntered(active) ? bodies : [headOf(), ...bodies]
    yield* writeBatch(all, sizeOf(all))
    tellWhenHalfFull()
    if (batch.restarts) yield* removeSegmentsBelow(directory, held.neededSegment)
  })

  /** After a failure the log takes no batch: nobody knows what the disk holds, and a sync is never retried. */
  const poisonBy = (failure: LogFailed) => {
    poison = new LogFailed({ message: `The log is poisoned: ${failure.message}`, cause: failure })
  }
  const poisoning = <A>(work: Effect.Effect<A, LogFailed>) =>
    Effect.tapError(work, (failure) => Effect.sync(() => poisonBy(failure)))

  /** Writes one batch at a time, each to its end. */
  const exclusively = (batchNow: () => LogBatch | undefined, done: Effect.Effect<void> = Effect.void) => {
    const inTurn = turn.withPermits(1)(
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
    const end = Effect.sync(() => {
      turnsCount -= 1
    })
    return Effect.suspend(() => {
      turnsCount += 1
      return Effect.ensuring(Effect.andThen(idle.await, inTurn), end)
    })
  }

  const append = (writes: ReadonlyArray<LogWrite>) =>
    Effect.andThen(
      exclusively(() => {
        const batch = batchOf(writes, held)
        return batch.bodies.length === 0 ? undefined : batch
      }),
      Queue.offer(written, undefined)
    ).pipe(Effect.asVoid)

  /** The outcome of a batch of `appendNow`. A defect is an outcome too, since nobody else would hear of it. */
  const ended = (
    failure: LogFailed | undefined,
    bodies: ReadonlyArray<RecordBody>,
    offsets: ReadonlyArray<number>
  ): Exit.Exit<void, LogFailed> => {
    if (failure !== undefined) {
      poisonBy(failure)
      return Exit.fail(failure)
    }
    try {
      takeIn(bodies, offsets)
      tellWhenHalfFull()
      Queue.offerUnsafe(written, undefined)
      return Exit.void
    } catch (defect) {
      poisonBy(new LogFailed({ message: "a batch was not taken in", cause: defect }))
      return Exit.die(defect)
    }
  }

  const appendNow = (writes: ReadonlyArray<LogWrite>, done: (exit: Exit.Exit<void, LogFailed>) => void): boolean => {
    if (poison !== undefined || turnsCount > 0 || isWritingNow || isClosing) return false
    const next = batchOf(writes, held)
    const { bodies } = next
    const sizeBytes = sizeOf(bodies)
    const isSmall = bodies.length > 0 && sizeBytes <= WRITTEN_NOW_MAX_BYTES
    if (!isSmall || next.restarts || !isEntered(active) || mustRoll(next, sizeBytes)) return false
    const { bytes, offsets } = encodeBatch(active, { number: batch + 1, bodies, sizeBytes })
    isWritingNow = true
    idle.closeUnsafe()
    writeBatchNow(system, active, bytes, (failure) => {
      const exit = ended(failure, bodies, offsets)
      isWritingNow = false
      idle.openUnsafe()
      done(exit)
    })
    return true
  }

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

  /** The batch that begins the next segment has the hard state alone. */
  const endSegment = Effect.map(
    exclusively(() =>
      held.lastIndex < active.header.baseIndex ? undefined : { bodies: [], restarts: false, begins: true }
    ),
    () => active.header.baseIndex - 1
  )

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
    // The append that needs the segment tries again, and reports a failure.
    yield* Effect.catchTag(next.prepare({ after, sizeBytes: segmentSizeBytes }), "LogFailed", ({ message }) =>
      Effect.andThen(Effect.logWarning(message), Effect.sleep(RETRY_MS))
    )
  })

  // On closing, the fibers below end before this runs. The mark only helps the next start: it then tells damage to the
  // last batch from a torn tail. It is not worth waiting for room.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      const last = durableMark()
      return last === undefined || (mustRoll(last) && next.readyBytes() < segmentSizeBytes) ? idle.await : mark
    }).pipe(Effect.ignore, Effect.andThen(Effect.ignore(closeFile(active.file))), Effect.andThen(next.remove))
  )
  // A failure poisons the log, and the next append reports it.
  yield* Effect.forkScoped(Effect.ignore(Effect.forever(markWhenIdle)))
  yield* Effect.forkScoped(Effect.forever(prepareWhenHalfFull))
  tellWhenHalfFull()
  yield* Effect.addFinalizer(() => {
    isClosing = true
    const message = `Cannot append in "${directory}": no room, and the log is closing`
    return Deferred.fail(closing, new LogFailed({ message }))
  })

  const store = LogStore.of({
    recovered: recoveredOf(held),
    append,
    appendNow,
    read: (range) => readEntries({ directory, held }, range),
    repaired: Effect.void
  })
  const space = LogSpace.of({
    firstIndex: () => held.firstIndex,
    compact,
    removableIndex: ({ throughIndex }) => {
      const firstSegment = firstSegmentAfter(held, throughIndex)
      return (held.segments.find(({ number }) => number === firstSegment)?.baseIndex ?? held.firstIndex) - 1
    },
    keep: () => Effect.void,
    endSegment,
    removeAside: removeAside(directory),
    room: SubscriptionRef.get(next.room),
    roomChanges: SubscriptionRef.changes(next.room),
    scrub: scrub({
      directory,
      pauseMs: options.scrubPauseMs ?? scrubPauseMsDefault,
      sealed: () => held.segments.map(({ number }) => number).filter((number) => number < active.header.number)
    }),
    watch: poisoning(watch(lostFile({ directory, held, active: () => active })))
  })
  return Context.merge(Context.make(LogStore, store), Context.make(LogSpace, space))
})

/** The log in `directory`. It fails with LogCorrupt if the files hold data that no crash leaves behind. */
export function layerFile(options: FileLogOptions): Layer.Layer<LogStore | LogSpace, LogFailed | LogCorrupt> {
  return Layer.effectContext(make(options))
}

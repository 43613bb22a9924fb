/**
 * The segment that comes after the one in use, prepared before it is needed: zero-filled and synced, so that neither a
 * roll nor an append behind it waits for that. A disk without room for it is a state that passes, and no failure.
 */
import { Effect, Semaphore, SubscriptionRef } from "effect"
import {
  closeFile,
  isSpaceShort,
  openFile,
  renameFile,
  syncData,
  syncDirectory,
  syncFile,
  unlinkFile,
  withFile,
  writeAll
} from "./Files.ts"
import type { LogRoom } from "./LogSpace.ts"
import type { LogFailed } from "./LogStore.ts"
import { rests, SYNCED_AT_ONCE_BYTES } from "./Pace.ts"
import { encodeSegmentHeader, type SegmentHeader, segmentName } from "./Segment.ts"

/** Its name until it is entered. It never holds a record under this name. */
export const NEXT_SEGMENT = "next.segment"

const RETRY_MS = 1000

export interface NextSegment {
  readonly room: SubscriptionRef.SubscriptionRef<LogRoom>
  /** The size of the file that is ready; 0 while there is none. */
  readonly readyBytes: () => number
  /**
   * Waits until a file of at least so many bytes is ready to follow segment `after`: for long, where the disk is short
   * of space. It does nothing once another has followed that one. If an append waits for it (`isAwaited`), the work takes
   * no rests, also if it is under way already.
   */
  readonly prepare: (segment: {
    readonly after: number
    readonly sizeBytes: number
    readonly isAwaited?: boolean
  }) => Effect.Effect<void, LogFailed>
  /** Makes the file that is ready the segment of that header; its name is durable when it returns. */
  readonly enter: (header: Omit<SegmentHeader, "sizeBytes">) => Effect.Effect<SegmentHeader, LogFailed>
  readonly remove: Effect.Effect<void>
}

export const makeNextSegment = Effect.fnUntraced(function* (directory: string) {
  const path = `${directory}/${NEXT_SEGMENT}`
  const room = yield* SubscriptionRef.make<LogRoom>({ _tag: "Roomy" })
  const working = yield* Semaphore.make(1)
  let readyBytes = 0
  let enteredNumber = 0
  let awaitedCount = 0

  // Whatever is left of it is in nobody's way, and is written over.
  const remove = Effect.suspend(() => {
    readyBytes = 0
    return Effect.ignore(unlinkFile(path))
  })

  const fill = (sizeBytes: number) =>
    Effect.acquireUseRelease(
      openFile(path, "w"),
      Effect.fnUntraced(function* (file) {
        const rest = yield* rests
        const zeros = new Uint8Array(Math.min(SYNCED_AT_ONCE_BYTES, sizeBytes))
        for (let offset = 0; offset < sizeBytes; offset += zeros.length) {
          yield* writeAll(file, zeros.subarray(0, sizeBytes - offset), offset)
          yield* syncData(file)
          if (awaitedCount === 0) yield* rest
        }
        yield* syncFile(file)
      }),
      (file) => Effect.orDie(closeFile(file))
    )

  const fillWhenRoomy = Effect.fnUntraced(function* (sizeBytes: number) {
    readyBytes = 0
    for (;;) {
      const filled = yield* Effect.result(fill(sizeBytes))
      if (filled._tag === "Success") break
      const { failure } = filled
      // Half of a segment would take the room that others may need to make some.
      yield* remove
      if (!isSpaceShort(failure)) return yield* failure
      const message = `Cannot prepare a segment of ${sizeBytes} bytes in "${directory}": ${failure.message}`
      if (SubscriptionRef.getUnsafe(room)._tag === "Roomy") {
        yield* Effect.logWarning(message)
        yield* SubscriptionRef.set(room, { _tag: "StorageShort", message, neededBytes: sizeBytes })
      }
      yield* Effect.sleep(RETRY_MS)
    }
    readyBytes = sizeBytes
    if (SubscriptionRef.getUnsafe(room)._tag !== "Roomy") yield* SubscriptionRef.set(room, { _tag: "Roomy" })
  })

  const awaited = <A, E>(prepared: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        awaitedCount += 1
      }),
      () => prepared,
      () =>
        Effect.sync(() => {
          awaitedCount -= 1
        })
    )

  const next: NextSegment = {
    room,
    readyBytes: () => readyBytes,
    prepare: ({ after, isAwaited, sizeBytes }) => {
      const prepared = working.withPermits(1)(
        Effect.suspend(() =>
          readyBytes >= sizeBytes || enteredNumber > after ? Effect.void : fillWhenRoomy(sizeBytes)
        )
      )
      return isAwaited === true ? awaited(prepared) : prepared
    },
    enter: Effect.fnUntraced(function* (entered) {
      const header = { ...entered, sizeBytes: readyBytes }
      readyBytes = 0
      enteredNumber = header.number
      yield* withFile(path, "r+", (file) =>
        Effect.andThen(writeAll(file, encodeSegmentHeader(header), 0), syncData(file))
      )
      yield* renameFile(path, `${directory}/${segmentName(header.number)}`)
      yield* syncDirectory(directory)
      return header
    }, working.withPermits(1)),
    remove: working.withPermits(1)(remove)
  }
  return next
})

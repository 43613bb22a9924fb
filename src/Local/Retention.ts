/**
 * How much history a node retains, by the age of its entries and by the bytes that it takes on the disk. It finds the
 * first entry to retain; whole files before it go. For the cluster's log the leader decides that entry
 * (Cluster/Retention.ts); a node's own log needs no agreement.
 */
import { Clock, Duration, Effect, Result } from "effect"
import type { History } from "../EventStore/History.ts"
import type { HistoryFile } from "../EventStore/HistoryFormat.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { decode } from "../Machine/Transaction.ts"

/** Bounds of the history. Without one, all of it is retained. The log itself stays, whatever its age. */
export interface Retention {
  /** Removes entries once they are older. */
  readonly age?: Duration.Input
  /** Removes the oldest entries while a node's history takes more bytes on its disk, compressed. At least 16 MiB. */
  readonly bytes?: number
}

/** How often a node looks whether history is to be removed. */
export const retentionLookMs = 10_000

/** So many of a file's last entries are read to learn its age: the very last ones may have no time. */
const lookedAtCount = 64

/** When the last entry of a file was decided; undefined if its last entries have no time. */
const lastTimeOf = Effect.fnUntraced(function* (history: History["Service"], { fromIndex, toIndex }: HistoryFile) {
  let timeMs: number | undefined
  for (let at = toIndex; at >= Math.max(fromIndex, toIndex - lookedAtCount) && timeMs === undefined; at--) {
    const [entry] = yield* history.read({ fromIndex: at, toIndex: at, maxBytes: 1 })
    if (entry?.type === "transaction") timeMs = Result.getOrUndefined(decode(entry.payload))?.timeMs
  }
  return timeMs
})

/** The bounds in ms and bytes. */
export interface Bounds {
  readonly ageMs: number | undefined
  readonly bytes: number | undefined
}

/** The least bytes of a history: that of a file, before it is compressed. */
const bytesMin = 16 * 1024 * 1024

/** Reads the bounds that an application declares. */
export const boundsOf = ({ age, bytes }: Retention = {}): Bounds => {
  const ageMs = age === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(age))
  invariant(ageMs === undefined || ageMs > 0, "retention.age is a time above 0")
  invariant(bytes === undefined || bytes >= bytesMin, `retention.bytes is at least ${bytesMin}`)
  return { ageMs, bytes }
}

/** The first entry that these bounds retain; undefined if they remove nothing. `nowMs` is by the clock of this node. */
export const retainedFrom = Effect.fnUntraced(function* (
  history: History["Service"],
  { ageMs, bytes }: Bounds,
  nowMs: number
): Effect.fn.Return<number | undefined, LogFailed | LogCorrupt> {
  const files = history.files()
  let excessBytes = files.reduce((sum, { fileBytes }) => sum + fileBytes, 0) - (bytes ?? Number.POSITIVE_INFINITY)
  let fromIndex: number | undefined
  for (const file of files) {
    const isExcess = excessBytes > 0
    const timeMs = isExcess || ageMs === undefined ? undefined : yield* lastTimeOf(history, file)
    // What has no time is as old as what follows it, at least.
    if (!isExcess && ageMs !== undefined && timeMs === undefined) continue
    const isOld = timeMs !== undefined && ageMs !== undefined && timeMs < nowMs - ageMs
    if (!isExcess && !isOld) break
    excessBytes -= file.fileBytes
    fromIndex = file.toIndex + 1
  }
  return fromIndex
})

/** Runs `look` now and then. What cannot be removed now takes room until the next time. */
export const looking = (look: Effect.Effect<void, LogFailed | LogCorrupt>): Effect.Effect<never> =>
  look.pipe(
    Effect.catch((failure) => Effect.logWarning(`Cannot remove old history: ${failure.message}`)),
    Effect.andThen(Effect.sleep(retentionLookMs)),
    Effect.forever
  )

/** Removes what is before the bounds, without agreement. Never ends. */
export const follow = (history: History["Service"], bounds: Bounds): Effect.Effect<never> =>
  looking(
    Effect.gen(function* () {
      const fromIndex = yield* retainedFrom(history, bounds, yield* Clock.currentTimeMillis)
      if (fromIndex !== undefined) yield* history.removeBelow(fromIndex)
    })
  )

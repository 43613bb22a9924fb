/**
 * Carries out erasures on this member: once an erasure is applied, no entry before it stays in the log, no snapshot before
 * it is kept, and the history is rewritten without the data (EventStore/HistoryFiles.ts). Parts of the node that keep
 * derived data join in. Every step may be done again: a crash leaves the work to the next start. ErasureProgress.ts
 * tells the leader how far each member is.
 */
import { Effect } from "effect"
import type { History } from "../EventStore/History.ts"
import type { LogSpace } from "../EventStore/LogSpace.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import { type Erasures, erasuresOf } from "../Machine/Erasure.ts"
import type { Tables } from "../Machine/Tables.ts"
import { blankedEntry } from "./Feed.ts"

/** The first pause after a failure, such as a disk that is full, and the longest. */
const retryMinMs = 1_000
const retryMaxMs = 60_000

/** A part of the node that keeps data of records outside of the cluster's log. */
export interface ErasingPart {
  /** Removes what it keeps of records that were erased up to `throughIndex`. Durable when it returns. */
  readonly erase: (throughIndex: number, erasures: Erasures) => Effect.Effect<void, LogFailed | LogCorrupt>
  /** The last erasure that it has carried out, durably. */
  readonly erasedThrough: () => number
}

/** The erasing of one member. */
export interface Erasing {
  /** Takes in a part. From then on an erasure is done here only if the part has carried it out. */
  readonly join: (part: ErasingPart) => void
  /** The last erasure that this node has carried out in all of its files. */
  readonly erasedThrough: () => number
}

/** Makes a member's erasing, and the loop that carries it out once the member runs. */
export const make = (options: {
  readonly tables: () => Tables
  /** Waits until something is applied for which the condition holds. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
  /** Has {@link until} look again. */
  readonly changed: () => void
}) => {
  const { changed, tables, until } = options
  const parts = new Set<ErasingPart>()
  let own: ErasingPart | undefined
  const erasedThrough = () =>
    own === undefined ? 0 : Math.min(own.erasedThrough(), ...[...parts].map((part) => part.erasedThrough()))

  let retryMs = retryMinMs
  const eraseAll = Effect.suspend(() => {
    const erasures = erasuresOf(tables())
    const { lastIndex } = erasures
    const due = [...(own === undefined ? [] : [own]), ...parts].filter((part) => part.erasedThrough() < lastIndex)
    return Effect.forEach(due, (part) => part.erase(lastIndex, erasures), { discard: true }).pipe(
      Effect.andThen(Effect.logInfo(`Erasures through entry ${lastIndex} are carried out on this node`)),
      Effect.andThen(
        Effect.sync(() => {
          retryMs = retryMinMs
        })
      ),
      Effect.catch((error) => {
        const pauseMs = retryMs
        retryMs = Math.min(2 * retryMs, retryMaxMs)
        return Effect.andThen(Effect.logWarning("Cannot erase yet", error), Effect.sleep(pauseMs))
      })
    )
  })

  return {
    erasing: {
      join: (part) => {
        parts.add(part)
        changed()
      },
      erasedThrough
    } satisfies Erasing,
    /** Carries out erasures in the files of the cluster's log and in the parts that joined. Never ends. */
    follow: (files: ErasingPart): Effect.Effect<never> => {
      own = files
      const isDue = () => erasuresOf(tables()).lastIndex > erasedThrough()
      return Effect.forever(Effect.andThen(until(isDue), eraseAll))
    }
  }
}

/** The files of the cluster's log, as a part. */
export const replicatedFiles = (options: {
  readonly history: History["Service"]
  readonly space: LogSpace["Service"]
  readonly snapshots: SnapshotStore["Service"]
  readonly discard: (throughIndex: number) => Effect.Effect<void, LogFailed | LogCorrupt>
}): ErasingPart => {
  const { discard, history, snapshots, space } = options
  return {
    erase: Effect.fnUntraced(function* (throughIndex, erasures) {
      yield* discard(throughIndex)
      yield* snapshots.removeBelow(throughIndex)
      yield* space.removeAside
      // The note of the history comes last: all of the above is done again if a crash comes before it.
      yield* history.erase({ throughIndex, blank: (entry) => blankedEntry(entry, erasures) })
    }),
    erasedThrough: history.erasedThrough
  }
}

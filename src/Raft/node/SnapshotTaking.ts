/**
 * Takes snapshots of the applied state once the log since the last one has grown past a bound, and past the size of
 * that snapshot. It works in the background from a copy-on-write clone, so no request waits for it. Raft §7.
 */
import { Effect, Semaphore } from "effect"
import type { LogFailed } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import { invariant } from "../../Invariant.ts"
import { encodeConfiguration } from "../core/ConfigurationCodec.ts"
import * as Configurations from "../core/Configurations.ts"
import { termAt } from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"

export interface TakingOptions {
  readonly core: Readonly<State>
  readonly appliedIndex: () => number
  /** The applied state at this moment, encoded piece by piece as it is pulled. */
  readonly content: () => Iterable<Uint8Array>
  /** A snapshot through this index is durable. */
  readonly onTaken: (index: number) => void
  /** The payload applied since the last snapshot after which another is due. */
  readonly snapshotAfterBytes: number
}

export interface Taking {
  /** Notes applied payload, and returns whether a snapshot is due. */
  readonly onApplied: (payloadBytes: number) => boolean
  /** Takes a snapshot of the applied state, one at a time. */
  readonly take: Effect.Effect<void, LogFailed, SnapshotStore>
  /** The same, and it also replaces a snapshot at this index, whose state was wrong. */
  readonly takeAnew: Effect.Effect<void, LogFailed, SnapshotStore>
}

export const make = Effect.fnUntraced(function* (options: TakingOptions) {
  const { core } = options
  const one = yield* Semaphore.make(1)
  let appliedBytes = 0
  let snapshotBytes = 0
  let isUnderWay = false

  const take = Effect.fnUntraced(
    function* (isAnew: boolean) {
      const snapshots = yield* SnapshotStore
      const index = options.appliedIndex()
      const knownIndex = core.snapshot?.index ?? 0
      if (index < knownIndex || (index === knownIndex && !isAnew)) return
      const term = termAt(core.log, index)
      invariant(term !== undefined, `entry ${index} is applied and its term is unknown`)
      const { configuration } = Configurations.at(core.configurations, index)
      const content = options.content()
      appliedBytes = 0
      const { fileBytes } = yield* snapshots.write({
        index,
        term,
        configuration: encodeConfiguration(configuration),
        content
      })
      snapshotBytes = fileBytes
      options.onTaken(index)
    },
    Effect.ensuring(
      Effect.sync(() => {
        isUnderWay = false
      })
    )
  )

  return {
    onApplied: (payloadBytes) => {
      appliedBytes += payloadBytes
      const isDue = appliedBytes >= Math.max(options.snapshotAfterBytes, snapshotBytes)
      if (!isDue || isUnderWay) return false
      isUnderWay = true
      return true
    },
    take: one.withPermits(1)(take(false)),
    takeAnew: one.withPermits(1)(take(true))
  } satisfies Taking
})

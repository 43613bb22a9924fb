/**
 * Takes snapshots of the applied state once the log since the last one has grown past a bound. A large state under many
 * writes would be written again and again. So the next snapshot waits until the log has grown past the content of the
 * last one, or until ten times as long has passed as the last one took. When writes stop, a quarter of the bound is
 * enough: nobody waits, and the next start finds a short log. It works in the background from a copy-on-write
 * clone, so no request waits for it. Raft §7.
 */
import { Clock, Effect, Semaphore } from "effect"
import type { LogFailed } from "../../EventStore/LogStore.ts"
import type { SnapshotContent } from "../../EventStore/SnapshotFormat.ts"
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
  readonly content: () => SnapshotContent
  /** A snapshot through this index is durable. */
  readonly onTaken: (index: number) => void
  /** The payload applied since the last snapshot after which another is due. */
  readonly snapshotAfterBytes: number
}

/** A snapshot that its size would hold back comes once this many times as long has passed as the last one took. */
const restsPerTaking = 10

/** Once nothing was applied for so long, a snapshot is due after a quarter of the bound. */
const quietMs = 2_000
const quietShare = 0.25

export interface Taking {
  /** Notes applied payload. */
  readonly onApplied: (payloadBytes: number) => void
  /** Whether a snapshot is due and none is under way: the caller takes it then. */
  readonly begins: () => boolean
  /** Takes a snapshot of the applied state, one at a time. */
  readonly take: Effect.Effect<void, LogFailed, SnapshotStore>
  /** The same, and it also replaces a snapshot at this index, whose state was wrong. */
  readonly takeAnew: Effect.Effect<void, LogFailed, SnapshotStore>
}

export const make = Effect.fnUntraced(function* (options: TakingOptions) {
  const { core } = options
  const one = yield* Semaphore.make(1)
  const clock = yield* Clock.Clock
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  let appliedBytes = 0
  let contentBytes = 0
  /** Until then only a log longer than the content of the last snapshot makes another due. */
  let restsUntilMs = 0
  let isUnderWay = false
  let lastAppliedMs = 0

  const take = Effect.fnUntraced(
    function* (isAnew: boolean) {
      const snapshots = yield* SnapshotStore
      const index = options.appliedIndex()
      const knownIndex = core.snapshot?.index ?? 0
      if (index < knownIndex || (index === knownIndex && !isAnew)) {
        appliedBytes = 0
        return
      }
      const term = termAt(core.log, index)
      invariant(term !== undefined, `entry ${index} is applied and its term is unknown`)
      const { configuration } = Configurations.at(core.configurations, index)
      const content = options.content()
      appliedBytes = 0
      const beganMs = nowMs()
      const metadata = { index, term, configuration: encodeConfiguration(configuration) }
      const taken = yield* snapshots.write({ ...metadata, ...content })
      contentBytes = taken.contentBytes
      const tookMs = nowMs() - beganMs
      restsUntilMs = nowMs() + restsPerTaking * tookMs
      options.onTaken(index)
      yield* Effect.logInfo(`Took a snapshot through entry ${index}: ${taken.contentBytes} bytes in ${tookMs} ms`)
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
      lastAppliedMs = nowMs()
    },
    begins: () => {
      const { snapshotAfterBytes } = options
      if (isUnderWay || appliedBytes < quietShare * snapshotAfterBytes) return false
      const atMs = nowMs()
      if (appliedBytes < snapshotAfterBytes && atMs - lastAppliedMs < quietMs) return false
      isUnderWay = (appliedBytes >= snapshotAfterBytes && appliedBytes >= contentBytes) || atMs >= restsUntilMs
      return isUnderWay
    },
    take: one.withPermits(1)(take(false)),
    takeAnew: one.withPermits(1)(take(true))
  } satisfies Taking
})

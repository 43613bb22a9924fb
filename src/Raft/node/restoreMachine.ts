/** Restores the machine from a snapshot of this node's own, at its start and after an install (§7). */
import { Clock, Effect, Result, Stream } from "effect"
import { LogCorrupt, type LogFailed } from "../../EventStore/LogStore.ts"
import { type OpenSnapshot, SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { Configuration } from "../core/Configuration.ts"
import { decodeConfiguration } from "../core/ConfigurationCodec.ts"
import type { RestoredHash, StateMachine } from "./StateMachine.ts"

/** The index, term and configuration that a restored machine reflects. */
export interface Restored {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

const corrupt = (snapshot: OpenSnapshot, found: string) => {
  const { index } = snapshot.info
  const message = `Cannot restore the snapshot at ${index}: ${found}`
  return new LogCorrupt({ message, file: "snapshots", offset: 0, index })
}

/** How often a restore that takes long says how far it is. */
const toldEveryNanos = 1_000_000_000n

/** Logs how much of a snapshot is restored, once a second: nothing if all of it takes less. */
const telling = ({ info }: OpenSnapshot, nowNanos: () => bigint) => {
  let takenBytes = 0
  let dueNanos = nowNanos() + toldEveryNanos
  return (bytes: number): Effect.Effect<void> => {
    takenBytes += bytes
    const now = nowNanos()
    if (now < dueNanos) return Effect.void
    dueNanos = now + toldEveryNanos
    const percent = Math.min(100, Math.floor((100 * takenBytes) / info.contentBytes))
    return Effect.logInfo(`Restoring the snapshot at ${info.index}: ${percent} %`)
  }
}

type Restorable = Pick<StateMachine<never, unknown>, "restoring">

const restore = Effect.fnUntraced(function* (machine: Restorable, snapshot: OpenSnapshot, hash: RestoredHash) {
  const restoring = machine.restoring(hash)
  const tell = telling(snapshot, (yield* Clock.Clock).monotonicTimeNanosUnsafe)
  const take = (bytes: Uint8Array) => {
    restoring.take(bytes)
    return tell(bytes.length)
  }
  yield* Stream.runForEach(snapshot.content, (bytes) => Effect.suspend(() => take(bytes))).pipe(
    Effect.catchTag("SnapshotDamaged", (damaged) => Effect.fail(corrupt(snapshot, damaged.message)))
  )
  const ended = restoring.end()
  if (Result.isFailure(ended)) return yield* corrupt(snapshot, ended.failure)
  const { configuration, index, term } = snapshot.info
  const decoded = decodeConfiguration(configuration)
  if (decoded._tag === "BadConfiguration") return yield* corrupt(snapshot, decoded.found)
  return { index, term, configuration: decoded.configuration }
})

/** Restores the newest snapshot between `atLeastIndex` and `atMostIndex`; undefined if there is none. */
export const restoreNewest = (
  machine: Restorable,
  hash: RestoredHash,
  atLeastIndex: number,
  atMostIndex = Number.POSITIVE_INFINITY
): Effect.Effect<Restored | undefined, LogFailed | LogCorrupt, SnapshotStore> =>
  Effect.gen(function* () {
    const snapshots = yield* SnapshotStore
    const newest = yield* snapshots.openNewest({ atLeastIndex, atMostIndex })
    if (newest !== undefined) return yield* restore(machine, newest, hash)
    if (atLeastIndex === 0) return undefined
    const message = `The log begins after entry ${atLeastIndex}, and no intact snapshot stands for what came before`
    return yield* new LogCorrupt({ message, file: "snapshots", offset: 0, index: atLeastIndex })
  }).pipe(Effect.scoped)

/**
 * Effect Cluster's `RunnerStorage` over the log of this node. A runner has one lease, not one for each shard: a heartbeat is
 * one entry, whatever the number of its shards, and the lock of a shard changes with its holder only.
 */
import { Duration, Effect, Layer } from "effect"
import { RunnerStorage, ShardingConfig } from "effect/cluster"
import type { Member } from "../Cluster/Member.ts"
import { acquire, beat, register, release, setHealth, unregister } from "./RunnerCommands.ts"
import { isAlive, Runner, ShardLock } from "./RunnerRecords.ts"
import * as Store from "./Store.ts"

/** A heartbeat is due after this part of the lease. Effect asks three times within a lease. */
const beatPart = 1 / 6

const nowMs = Effect.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)))

const make = Effect.gen(function* () {
  const store = yield* Store.make
  const config = yield* ShardingConfig.ShardingConfig
  const leaseMs = Duration.toMillis(Duration.fromInputUnsafe(config.shardLockExpiration))
  /** By address, the time on this node's clock before the last heartbeat that the cluster took. */
  const beats = new Map<string, number>()

  const beating = <A, E>(address: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.flatMap(nowMs, (beganMs) => Effect.tap(effect, () => Effect.sync(() => beats.set(address, beganMs))))

  const isDue = (address: string) =>
    Effect.map(nowMs, (now) => now - (beats.get(address) ?? Number.NEGATIVE_INFINITY) >= leaseMs * beatPart)

  const heldBy = (address: string, shards: ReadonlyArray<string>) => () =>
    shards.filter((shard) => store.get(ShardLock, shard)?.record.holder === address)

  return RunnerStorage.makeEncoded({
    register: (address, runner, isHealthy) => beating(address, store.call(register, { address, runner, isHealthy })),
    unregister: (address) => store.call(unregister, { address }),
    setRunnerHealth: (address, isHealthy) => store.call(setHealth, { address, isHealthy }),
    getRunners: store.read(() =>
      store.all(Runner).flatMap(({ record: { isHealthy, runner, seenMs } }) => {
        const counts = runner !== undefined && isAlive(seenMs, { leaseMs, logAgeMs: store.logAgeMs() })
        return counts ? [[runner, isHealthy] as const] : []
      })
    ),
    acquire: (address, shards) =>
      Effect.map(beating(address, store.call(acquire, { address, shards, leaseMs })), (held) => [...held]),
    // Effect asks before it saves the final reply of each request, too. That needs no entry.
    refresh: (address, shards) =>
      Effect.flatMap(isDue(address), (isDue) =>
        isDue
          ? Effect.map(beating(address, store.call(beat, { address })), heldBy(address, shards))
          : store.read(heldBy(address, shards))
      ),
    release: (address, shard) => store.call(release, { address, shards: [shard] }),
    releaseAll: (address) => store.call(release, { address, shards: null })
  })
})

/** Keeps runners and shard locks in the log of this node. */
export const layerRunners: Layer.Layer<RunnerStorage.RunnerStorage, never, ShardingConfig.ShardingConfig | Member> =
  Layer.effect(RunnerStorage.RunnerStorage, make)

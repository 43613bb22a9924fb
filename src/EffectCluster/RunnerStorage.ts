/**
 * Effect Cluster's `RunnerStorage` over the log of this node. A runner has one lease, not one for each shard: a heartbeat is
 * one entry, whatever the number of its shards, and the lock of a shard changes with its holder only.
 */
import { Duration, Effect, Layer, Semaphore } from "effect"
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

  /**
   * By address, the locks that this storage has got. An earlier process of a runner may have left others, and so may an
   * attempt to get them that nobody waited for to the end: the runner lives, so they would never expire.
   */
  const got = new Map<string, Set<string>>()
  const gotBy = (address: string) => {
    const shards = got.get(address) ?? new Set()
    got.set(address, shards)
    return shards
  }
  const inTurn = Semaphore.makeUnsafe(1).withPermits(1)

  const unknownTo = (address: string, shards: ReadonlyArray<string>) => {
    const known = new Set([...shards, ...gotBy(address)])
    return store.list(ShardLock, "holder", address).flatMap(({ record: { id } }) => (known.has(id) ? [] : [id]))
  }

  /** Gives up the locks of a runner of which it does not know. It looks again once nobody is about to get them. */
  const givingUp = (address: string, shards: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      if (unknownTo(address, shards).length === 0) return Effect.void
      return inTurn(
        Effect.suspend(() => {
          const unknown = unknownTo(address, shards)
          return unknown.length === 0 ? Effect.void : store.call(release, { address, shards: unknown })
        })
      )
    })

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
      inTurn(
        Effect.map(beating(address, store.call(acquire, { address, shards, leaseMs })), (held) => {
          for (const shard of held) gotBy(address).add(shard)
          return [...held]
        })
      ),
    // Effect asks before it saves the final reply of each request, too. That needs no entry.
    refresh: (address, shards) =>
      Effect.flatMap(isDue(address), (isDue) =>
        isDue
          ? beating(address, store.call(beat, { address })).pipe(
              Effect.andThen(givingUp(address, shards)),
              Effect.map(heldBy(address, shards))
            )
          : store.read(heldBy(address, shards))
      ),
    release: (address, shard) =>
      Effect.tap(store.call(release, { address, shards: [shard] }), () =>
        Effect.sync(() => gotBy(address).delete(shard))
      ),
    releaseAll: (address) =>
      Effect.tap(store.call(release, { address, shards: null }), () => Effect.sync(() => gotBy(address).clear()))
  })
})

/** Keeps runners and shard locks in the log of this node. */
export const layerRunners: Layer.Layer<RunnerStorage.RunnerStorage, never, ShardingConfig.ShardingConfig | Member> =
  Layer.effect(RunnerStorage.RunnerStorage, make)

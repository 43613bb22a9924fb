/** What happens to runners and shard locks: the commands of RunnerStorage.ts, each one entry of the log. */
import { Effect, Layer, Schema } from "effect"
import { make } from "../Command/Declaration.ts"
import { layer } from "../Command/Handler.ts"
import { Transaction } from "../Command/Transaction.ts"
import { everyRow, logAgeMs, orDie } from "./Handling.ts"
import { isAlive, Runner, ShardLock } from "./RunnerRecords.ts"

const shards = Schema.Array(Schema.String)

/** Makes a runner known, and gives it a machine id of its own, which it keeps. */
export const register = make("lithair/cluster-register", {
  payload: Schema.Struct({ address: Schema.String, runner: Schema.String, isHealthy: Schema.Boolean }),
  success: Schema.Int,
  http: false
})

/** Forgets that a runner takes part. Its locks stay: `release` ends them. */
export const unregister = make("lithair/cluster-unregister", {
  payload: Schema.Struct({ address: Schema.String }),
  success: Schema.Void,
  http: false
})

/** Notes whether a runner is healthy. */
export const setHealth = make("lithair/cluster-set-health", {
  payload: Schema.Struct({ address: Schema.String, isHealthy: Schema.Boolean }),
  success: Schema.Void,
  http: false
})

/** Gives a runner the locks of these shards that are free, or whose holder has expired. Returns those that it holds then. */
export const acquire = make("lithair/cluster-acquire", {
  payload: Schema.Struct({ address: Schema.String, shards, leaseMs: Schema.Int }),
  success: shards,
  http: false
})

/** A sign of life of a runner. */
export const beat = make("lithair/cluster-beat", {
  payload: Schema.Struct({ address: Schema.String }),
  success: Schema.Void,
  http: false
})

/** Gives up locks of a runner: those of these shards, or all. */
export const release = make("lithair/cluster-release", {
  payload: Schema.Struct({ address: Schema.String, shards: Schema.NullOr(shards) }),
  success: Schema.Void,
  http: false
})

/** The commands of runners. */
export const commands = [register, unregister, setHealth, acquire, beat, release] as const

/** The machine ids that a snowflake has room for. */
const machineIdsCount = 1024
/** How long the machine id of a runner that is gone is given to no other: more than clocks differ. */
const machineIdRestMs = 3_600_000

/** Notes a sign of life. A runner that only takes locks, and never registers, gets a record too. */
const seen = Effect.fnUntraced(function* (address: string, change: Partial<Pick<Runner, "runner" | "isHealthy">> = {}) {
  const transaction = yield* Transaction
  const ageMs = yield* logAgeMs
  const found = yield* transaction.find(Runner, address)
  if (found._tag === "Some") {
    return yield* transaction.put(Runner, { ...found.value, ...change, seenMs: ageMs })
  }
  const machineId = yield* freeMachineId(ageMs)
  return yield* transaction.put(Runner, { id: address, isHealthy: false, ...change, machineId, seenMs: ageMs })
}, orDie)

/** The lowest machine id that no known runner has. It forgets runners that are gone for long. */
const freeMachineId = Effect.fnUntraced(function* (ageMs: number) {
  const transaction = yield* Transaction
  const taken = new Set<number>()
  for (const runner of yield* everyRow(Runner)) {
    if (isAlive(runner.seenMs, { leaseMs: machineIdRestMs, logAgeMs: ageMs })) taken.add(runner.machineId)
    else yield* transaction.delete(Runner, runner.id)
  }
  for (let id = 1; id < machineIdsCount; id++) if (!taken.has(id)) return id
  return taken.size % machineIdsCount
})

/** The handlers of these commands. */
export const layerHandlers = Layer.mergeAll(
  layer(register, ({ address, isHealthy, runner }) =>
    Effect.map(seen(address, { runner, isHealthy }), ({ machineId }) => machineId)
  ),
  layer(
    unregister,
    Effect.fnUntraced(function* ({ address }) {
      const transaction = yield* Transaction
      const found = yield* transaction.find(Runner, address)
      if (found._tag === "None") return
      const { runner: _, ...left } = found.value
      yield* transaction.put(Runner, { ...left, isHealthy: false })
    })
  ),
  layer(
    setHealth,
    Effect.fnUntraced(function* ({ address, isHealthy }) {
      const transaction = yield* Transaction
      const found = yield* transaction.find(Runner, address)
      if (found._tag === "Some") yield* transaction.put(Runner, { ...found.value, isHealthy })
    })
  ),
  layer(
    acquire,
    Effect.fnUntraced(function* ({ address, leaseMs, shards }) {
      const transaction = yield* Transaction
      const ageMs = yield* logAgeMs
      yield* seen(address)
      const alive = new Map<string, boolean>([[address, false]])
      const isHeld = Effect.fnUntraced(function* (holder: string) {
        const known = alive.get(holder)
        if (known !== undefined) return known
        const found = yield* transaction.find(Runner, holder)
        const isHeld = found._tag === "Some" && isAlive(found.value.seenMs, { leaseMs, logAgeMs: ageMs })
        alive.set(holder, isHeld)
        return isHeld
      })
      const held: Array<string> = []
      for (const id of new Set(shards)) {
        const lock = yield* transaction.find(ShardLock, id)
        if (lock._tag === "Some" && (yield* isHeld(lock.value.holder))) continue
        if (lock._tag === "None" || lock.value.holder !== address) {
          yield* transaction.put(ShardLock, { id, holder: address })
        }
        held.push(id)
      }
      return held
    })
  ),
  layer(beat, ({ address }) => Effect.asVoid(seen(address))),
  layer(
    release,
    Effect.fnUntraced(function* ({ address, shards }) {
      const transaction = yield* Transaction
      const held = yield* everyRow(ShardLock, { holder: address })
      const asked = shards === null ? undefined : new Set(shards)
      for (const { id } of held) if (asked?.has(id) !== false) yield* transaction.delete(ShardLock, id)
    })
  )
)

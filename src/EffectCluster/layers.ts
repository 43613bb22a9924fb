/** Effect Cluster over the log of this node, in one layer: its storages, its wake-ups, and the end of old messages. */
import { type Config, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { type MessageStorage, type RunnerStorage, type Sharding, ShardingConfig } from "effect/cluster"
import type { Member } from "../Cluster/Member.ts"
import { Lifecycle } from "../Lithair/Lifecycle.ts"
import { type ForgettingOptions, layerForgetting } from "./Forgetting.ts"
import * as KeyValue from "./KeyValue.ts"
import * as MessageCommands from "./MessageCommands.ts"
import { Chunk, Message } from "./MessageRecords.ts"
import { type Claims, layerMessages } from "./MessageStorage.ts"
import * as QueueCommands from "./QueueCommands.ts"
import { QueueElement } from "./QueueRecords.ts"
import * as RunnerCommands from "./RunnerCommands.ts"
import { Runner, ShardLock } from "./RunnerRecords.ts"
import { layerRunners } from "./RunnerStorage.ts"
import { layerWake } from "./Wake.ts"

/** The models of Effect Cluster, of key-value stores and of queues: an application lists them beside its own. */
export const models = [Runner, ShardLock, Message, Chunk, KeyValue.KeyedValue, QueueElement] as const

/** Their commands: an application lists them beside its own. */
export const commands = [
  ...RunnerCommands.commands,
  ...MessageCommands.commands,
  ...KeyValue.commands,
  ...QueueCommands.commands
] as const

/** What the commands do. The node of the application needs it. */
export const layerHandlers = Layer.mergeAll(
  RunnerCommands.layerHandlers,
  MessageCommands.layerHandlers,
  KeyValue.layerHandlers,
  QueueCommands.layerHandlers
)

/** Settings of Effect's, which must be those of the runner too. */
export type ShardingOptions = Partial<ShardingConfig.ShardingConfig["Service"]>

/** Effect Cluster's storages over the log of this node: Effect calls that `storage: "byo"`. */
export const layerStorage: Layer.Layer<
  RunnerStorage.RunnerStorage | MessageStorage.MessageStorage | Claims,
  never,
  ShardingConfig.ShardingConfig | Member
> = Layer.mergeAll(layerRunners, layerMessages)

/** Settings of {@link layer}. */
export interface ClusterOptions extends ForgettingOptions {
  /** What is given to the runner as its settings. */
  readonly shardingConfig?: ShardingOptions
}

/**
 * Runs a runner of Effect Cluster over the log of this node. It provides the services of the runner and `MessageStorage`,
 * wakes the runner when it has messages, and forgets messages that were finished long ago. Told to stop, the program hands
 * the runner's shards over before its node takes no more commands.
 *
 * @example
 * ```ts
 * import { NodeClusterSocket } from "@effect/platform-node"
 * import { Option } from "effect"
 * import { RunnerAddress } from "effect/cluster"
 * import * as Cluster from "lithair/cluster"
 *
 * const address = Option.some(RunnerAddress.make("127.0.0.1", 9081))
 * const shardingConfig = { runnerAddress: address, runnerListenAddress: address }
 * const cluster = Cluster.layer(NodeClusterSocket.layer({ storage: "byo", shardingConfig }), { shardingConfig })
 * ```
 */
export const layer = <A, E, R>(
  runner: Layer.Layer<A | Sharding.Sharding, E, R>,
  { shardingConfig, ...forgetting }: ClusterOptions = {}
): Layer.Layer<
  A | Sharding.Sharding | MessageStorage.MessageStorage,
  E | Config.ConfigError,
  Exclude<R, RunnerStorage.RunnerStorage | MessageStorage.MessageStorage> | Member | Lifecycle
> => {
  const whole = Layer.mergeAll(layerWake, layerForgetting(forgetting)).pipe(
    Layer.provideMerge(runner),
    Layer.provideMerge(layerStorage),
    Layer.provide(ShardingConfig.layerFromEnv(shardingConfig))
  )
  // The compiler does not see that the storages are no longer needed.
  return endingFirst(whole) as never
}

/** How long a runner has to hand its shards over. Without a quorum it cannot, and they stay locked for a lease. */
const handOverMaxTime = "10 seconds"

/** Ends a layer before the node that it uses takes no more commands. */
const endingFirst = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | Lifecycle> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const lifecycle = yield* Lifecycle
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      const services = yield* Layer.buildWithScope(layer, scope)
      const ends = Effect.flatMap(Effect.forkDetach(Scope.close(scope, Exit.void)), Fiber.join)
      yield* lifecycle.beforeDrain(Effect.asVoid(Effect.timeoutOption(ends, handOverMaxTime)))
      return services
    })
  )

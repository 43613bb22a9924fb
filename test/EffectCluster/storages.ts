/** What the tests of this room share: a cluster of three with the models of Effect Cluster, and storages on its nodes. */
import { Effect, Layer, Option } from "effect"
import {
  EntityAddress,
  EntityId,
  EntityType,
  RunnerAddress,
  RunnerStorage,
  ShardId,
  ShardingConfig
} from "effect/cluster"
import * as Cluster from "../../src/Cluster.ts"
import { layerHandlers, layerStorage } from "../../src/Cluster.ts"
import { makeEncoded } from "../../src/EffectCluster/MessageStorage.ts"
import { TestCluster } from "../../src/Testing.ts"

/** A cluster whose nodes keep what Effect Cluster needs. */
export const layerCluster = (options: { readonly seed?: number; readonly size?: number } = {}) =>
  TestCluster.layer({ models: Cluster.models, commands: Cluster.commands, ...options }).pipe(
    Layer.provide(layerHandlers)
  )

/** The lease of a runner in these tests. */
export const leaseMs = 3_000

/** The address of a runner. */
export const at = (port: number) => RunnerAddress.make("127.0.0.1", port)

/** The settings of a runner of these tests. */
export const shardingConfig = (port: number) =>
  ({
    runnerAddress: Option.some(at(port)),
    shardLockExpiration: leaseMs,
    shardLockRefreshInterval: 1_000,
    refreshAssignmentsInterval: 500,
    entityMessagePollInterval: 3_600_000,
    entityReplyPollInterval: 20,
    entityTerminationTimeout: 100,
    simulateRemoteSerialization: true,
    shardsPerGroup: 20
  }) as const

/** Both storages of a runner, over a node. */
export const storagesOf = (port: number) => layerStorage.pipe(Layer.provide(ShardingConfig.layer(shardingConfig(port))))

/** The storage of messages as Effect's adapter takes it, of a runner. */
export const encodedOf = (port: number) => Effect.map(makeEncoded(`127.0.0.1:${port}`), ({ encoded }) => encoded)

/** A shard. */
export const shard = (id: number) => ShardId.make("default", id)

/** Has a runner hold shards, over a node. */
export const holding = (port: number, ...ids: ReadonlyArray<number>) =>
  Effect.flatMap(RunnerStorage.RunnerStorage, (runners) => runners.acquire(at(port), ids.map(shard))).pipe(
    Effect.provide(storagesOf(port))
  )

/** The address of an entity of shard 1. */
export const entity = (id: string, type = "Counter") =>
  EntityAddress.make({ shardId: shard(1), entityType: EntityType.make(type), entityId: EntityId.make(id) })

/** A request as Effect encodes it. */
export const request = (
  requestId: string,
  { id = "a", tag = "Add", type = "Counter", payload = {} as unknown } = {}
) => ({
  _tag: "Request" as const,
  requestId,
  address: { shardId: { group: "default", id: 1 }, entityType: type, entityId: id },
  tag,
  payload,
  headers: {}
})

/** A final reply as Effect encodes it. */
export const exit = (requestId: string, id: string, value: unknown = 1) => ({
  _tag: "WithExit" as const,
  requestId,
  id,
  exit: { _tag: "Success" as const, value }
})

/** A chunk as Effect encodes it. */
export const chunk = (requestId: string, id: string, sequence: number) => ({
  _tag: "Chunk" as const,
  requestId,
  id,
  sequence,
  values: [sequence] as const
})

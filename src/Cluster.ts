/** Effect Cluster and Workflow, key-value stores and queues without a database: their state is in the log of the node. */
export type { ForgettingOptions } from "./EffectCluster/Forgetting.ts"
export { layerKeyValueStore } from "./EffectCluster/KeyValue.ts"
export {
  type ClusterOptions,
  commands,
  layer,
  layerHandlers,
  layerStorage,
  models,
  type ShardingOptions
} from "./EffectCluster/layers.ts"
export { AlreadyReplied, LockLost } from "./EffectCluster/MessageCommands.ts"
export { layerQueueStore, type QueueOptions } from "./EffectCluster/Queue.ts"

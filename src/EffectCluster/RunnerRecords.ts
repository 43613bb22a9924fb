/**
 * The records of Effect Cluster's runners and of the locks of their shards. HTTP does not know these models. RunnerCommands.ts
 * changes them, and nothing else does.
 */
import { Schema } from "effect"
import { Class } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"

/**
 * A runner, by its address. Its last sign of life is a time of the log's age, so that no wall clock makes it expire. The
 * record outlives an orderly stop by a while, so that no other runner gets its machine id at once.
 */
export class Runner extends Class<Runner>("lithair/ClusterRunner")(
  {
    id: bareId(Schema.String),
    /** The runner as Effect encodes it; absent while it is not registered. */
    runner: Schema.optionalKey(Schema.String),
    isHealthy: Schema.Boolean,
    /** The part of a snowflake that tells this runner's ids from those of others. */
    machineId: Schema.Int,
    /** The age of the log at its last sign of life. */
    seenMs: Schema.Int
  },
  { mode: "replicate", http: false, path: "lithair-cluster-runners" }
) {}

/** The lock of a shard, by the shard's name. It exists while a runner holds the shard, and changes with its owner only. */
export class ShardLock extends Class<ShardLock>("lithair/ClusterShardLock")(
  {
    id: bareId(Schema.String),
    /** The address of the runner. */
    holder: Schema.String
  },
  { mode: "replicate", http: false, indexes: ["holder"], path: "lithair-cluster-shard-locks" }
) {}

/** Whether a runner whose last sign of life was at `seenMs` still counts at this age of the log. */
export const isAlive = (
  seenMs: number,
  { leaseMs, logAgeMs }: { readonly leaseMs: number; readonly logAgeMs: number }
) => seenMs > logAgeMs - leaseMs

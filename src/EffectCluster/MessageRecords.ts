/**
 * The records of Effect Cluster's messages: requests, acknowledgements and interrupts, with the replies to requests. HTTP does
 * not know these models. MessageCommands.ts changes them, and nothing else does.
 */
import { Schema } from "effect"
import { Class } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"

/** A message, by its snowflake. A request holds its final reply, so that both are one record and one event. */
export class Message extends Class<Message>("lithair/ClusterMessage")(
  {
    id: bareId(Schema.String),
    /** The request that it is, or belongs to. */
    requestId: Schema.String,
    /** The shard of its entity, as `default:12`. */
    shard: Schema.String,
    /** The type and the id of its entity, as `Counter/7`. */
    address: Schema.String,
    kind: Schema.Literals(["Request", "AckChunk", "Interrupt"]),
    /** Two requests of one key are one. */
    key: Schema.optionalKey(Schema.String),
    /** How long it is kept (Forgetting.ts): a step of a workflow as long as its execution. */
    role: Schema.Literals(["call", "execution", "step"]),
    /** While it is not processed and is for later: the time from which on it may be, in ms since the epoch. */
    dueMs: Schema.optionalKey(Schema.Int),
    /** Its shard once more while it is not processed and is not for later, so that nobody reads all that sleeps. */
    openShard: Schema.optionalKey(Schema.String),
    /**
     * The age of the log when it was finished for good. A workflow that sleeps is processed, and not finished, and its steps
     * are finished with it.
     */
    finishedMs: Schema.optionalKey(Schema.Int),
    /** The last reply, a chunk or the final one. */
    lastReplyId: Schema.optionalKey(Schema.String),
    /** The final reply, as JSON. */
    exit: Schema.optionalKey(Schema.String),
    /** The message as Effect encodes it, as JSON. */
    envelope: Schema.String
  },
  {
    mode: "replicate",
    http: false,
    unique: ["key"],
    indexes: ["requestId", "address", "openShard", "dueMs", "finishedMs"],
    path: "lithair-cluster-messages"
  }
) {}

/** A part of a streamed reply, by its snowflake, until its request is forgotten. */
export class Chunk extends Class<Chunk>("lithair/ClusterChunk")(
  {
    id: bareId(Schema.String),
    requestId: Schema.String,
    sequence: Schema.Int,
    /** Whether the client has acknowledged it. */
    isAcked: Schema.Boolean,
    /** The reply as Effect encodes it, as JSON. */
    reply: Schema.String
  },
  { mode: "replicate", http: false, indexes: ["requestId"], path: "lithair-cluster-chunks" }
) {}

/** Whether a message is not processed, and may be now. */
export const isOpen = ({ dueMs, openShard }: Message, nowMs: number): boolean =>
  openShard !== undefined || (dueMs !== undefined && dueMs <= nowMs)

/** The name of an entity, by which its messages are found. */
export const addressOf = ({
  entityId,
  entityType
}: {
  readonly entityType: string
  readonly entityId: string
}): string => `${entityType}/${entityId}`

/** The name of a shard, as Effect writes it. */
export const shardOf = ({ group, id }: { readonly group: string; readonly id: number }): string => `${group}:${id}`

/** The key of the request that runs a workflow, by the address of its execution, as Effect makes it. */
export const executionKey = (address: string): string => `${address}/run/`

const clock = "Workflow/-/DurableClock/"

/** Whether it is the address of the clock of an execution. */
export const isClock = (address: string): boolean => address.startsWith(clock)

/** The address of the clock of an execution, by the address of the execution. */
export const clockOf = (address: string): string =>
  `${clock}${address.slice(address.indexOf("/", workflow.length) + 1)}`

const workflow = "Workflow/"

/** How long a message of this entity is kept. */
export const roleOf = (entityType: string, tag: string | undefined): Message["role"] => {
  if (!entityType.startsWith(workflow)) return "call"
  return tag === "run" && !isClock(`${entityType}/`) ? "execution" : "step"
}

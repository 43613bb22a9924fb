/** The records of Effect's persisted queues. HTTP does not know the model. QueueCommands.ts changes them, and nothing else does. */
import { Schema } from "effect"
import { Class } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"

/** An element of a queue. Its id has the time of its offer, by the clock of the leader that took it: so elements are in that order. */
export class QueueElement extends Class<QueueElement>("lithair/QueueElement")(
  {
    id: bareId(Schema.String),
    queue: Schema.String,
    /** The queue and the id that was offered: an id is offered once. */
    key: Schema.String,
    elementId: Schema.String,
    /** The value, as JSON. */
    element: Schema.String,
    state: Schema.Literals(["waiting", "taken", "completed", "failed"]),
    /** Its queue once more while somebody may take it, now or later: while it waits, and while it is taken. */
    openQueue: Schema.optionalKey(Schema.String),
    attemptsCount: Schema.Int,
    /** The age of the log from which on it may be taken: the end of a delay, of a pause, or of the lease of its taker. */
    visibleMs: Schema.Int,
    /** Who has taken it. */
    taker: Schema.optionalKey(Schema.String),
    /** The age of the log when it was completed, or failed for good. */
    completedMs: Schema.optionalKey(Schema.Int),
    failedMs: Schema.optionalKey(Schema.Int)
  },
  {
    mode: "replicate",
    http: false,
    unique: ["key"],
    indexes: ["openQueue", "completedMs", "failedMs"],
    path: "lithair-queue-elements"
  }
) {}

/** The unique name of an element. A length ends the name of the queue, so that no two of them are one. */
export const keyOf = (queue: string, elementId: string): string => `${queue.length}:${queue}${elementId}`

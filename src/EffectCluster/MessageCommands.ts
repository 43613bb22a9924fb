/**
 * What happens to messages and replies: the commands of MessageStorage.ts, each one entry of the log. A second copy of a
 * message or a reply changes nothing.
 */
import { Effect, Layer, Schema } from "effect"
import { make } from "../Command/Declaration.ts"
import { layer } from "../Command/Handler.ts"
import { Transaction } from "../Command/Transaction.ts"
import { everyRow, logAgeMs, orDie } from "./Handling.ts"
import { Chunk, clockOf, executionKey, isClock, Message } from "./MessageRecords.ts"
import { ShardLock } from "./RunnerRecords.ts"

const text = Schema.String

/** The sender of a reply does not hold the lock of the request's shard, so another runner answers. */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", { shard: text, sender: text }) {
  override get message(): string {
    return `${this.sender} does not hold the shard ${this.shard}, so it must not answer for it`
  }
}

/** The request has such a reply already: its final one, or a chunk of this sequence. */
export class AlreadyReplied extends Schema.TaggedError<AlreadyReplied>()("AlreadyReplied", { requestId: text }) {
  override get message(): string {
    return `The request ${this.requestId} has such a reply already`
  }
}

/** Saves a message. Returns the request of the same key that was there before, with its last reply, if there is one. */
export const saveEnvelope = make("lithair/cluster-save-envelope", {
  payload: Schema.Struct({
    id: text,
    requestId: text,
    shard: text,
    address: text,
    kind: Schema.Literals(["Request", "AckChunk", "Interrupt"]),
    key: Schema.NullOr(text),
    role: Schema.Literals(["call", "execution", "step"]),
    dueMs: Schema.NullOr(Schema.Int),
    /** The chunk that an acknowledgement is for. */
    replyId: Schema.NullOr(text),
    envelope: text
  }),
  success: Schema.NullOr(Schema.Struct({ originalId: text, lastReply: Schema.NullOr(text) })),
  http: false
})

/** A reply: a chunk with its sequence, or the final one. */
export const SavedReply = Schema.Struct({
  id: text,
  requestId: text,
  /** Undefined for the final reply. */
  sequence: Schema.NullOr(Schema.Int),
  /** Whether the request goes on later, with another final reply: a workflow that sleeps. */
  isSuspended: Schema.Boolean,
  reply: text
})

/** Saves replies of a runner, all or none. Nothing is saved if it does not hold the lock of a request's shard. */
export const saveReplies = make("lithair/cluster-save-replies", {
  payload: Schema.Struct({ sender: text, replies: Schema.Array(SavedReply) }),
  success: Schema.Void,
  error: [LockLost, AlreadyReplied],
  http: false
})

/**
 * Removes the replies to a request, so that it is processed again: if `expected` is its last reply, or whatever its last
 * reply is.
 */
export const clearReplies = make("lithair/cluster-clear-replies", {
  payload: Schema.Struct({ requestId: text, expected: Schema.NullOr(text) }),
  success: Schema.Void,
  http: false
})

/** Removes messages of an entity, with their replies, as many as one entry can. Returns whether none is left. */
export const clearAddress = make("lithair/cluster-clear-address", {
  payload: Schema.Struct({ address: text }),
  success: Schema.Boolean,
  http: false
})

/**
 * Forgets these messages, each if it was finished at this age of the log and has not been opened again. All steps of an
 * execution go with it. One entry forgets as many as it can. Returns whether none is left.
 */
export const forget = make("lithair/cluster-forget", {
  payload: Schema.Struct({
    messages: Schema.Array(Schema.Struct({ id: text, finishedMs: Schema.Int }))
  }),
  success: Schema.Boolean,
  http: false
})

/** The commands of messages. */
export const commands = [saveEnvelope, saveReplies, clearReplies, clearAddress, forget] as const

/** A message without some of its optional fields. */
const lacking = (
  message: Message,
  ...fields: ReadonlyArray<"openShard" | "dueMs" | "finishedMs" | "lastReplyId" | "exit">
) => ({ ...message, ...Object.fromEntries(fields.map((field) => [field, undefined])) }) as Message

/** Notes that a message is processed. */
const processed = Effect.fnUntraced(function* (message: Message, change: Partial<Message>, isSuspended: boolean) {
  const transaction = yield* Transaction
  const lasts = isSuspended || (message.role === "step" && (yield* hasExecution(message.address)))
  const finished = lasts ? {} : { finishedMs: yield* logAgeMs }
  const closed = lacking(message, "openShard", "dueMs", "finishedMs")
  yield* transaction.put(Message, withoutAbsent({ ...closed, ...change, ...finished }))
})

/** Whether the execution is known to which a step belongs. The clock of an execution has an address of its own. */
const hasExecution = Effect.fnUntraced(function* (address: string) {
  if (isClock(address)) return true
  const transaction = yield* Transaction
  return (yield* transaction.list(Message, { where: { key: executionKey(address) }, limit: 1 })).length > 0
})

/** An optional field is absent, and not undefined. */
const withoutAbsent = (message: Message): Message =>
  Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined)) as unknown as Message

const ofRequest = (requestId: string) => everyRow(Message, { requestId })

const saveOne = Effect.fnUntraced(function* (sender: string, saved: typeof SavedReply.Type) {
  const transaction = yield* Transaction
  const { id, isSuspended, reply, requestId, sequence } = saved
  const found = yield* transaction.find(Message, requestId)
  // The request was cleared or forgotten, and nobody asks for its reply.
  if (found._tag === "None") return
  const request = found.value
  const { shard } = request
  if (request.lastReplyId === id) return
  if (sequence !== null && (yield* transaction.find(Chunk, id))._tag === "Some") return
  const lock = yield* transaction.find(ShardLock, shard)
  if (lock._tag === "None" || lock.value.holder !== sender) return yield* new LockLost({ shard, sender })
  if (request.exit !== undefined) return yield* new AlreadyReplied({ requestId })
  if (sequence === null) {
    for (const message of yield* ofRequest(requestId)) {
      const change = message.id === requestId ? { exit: reply, lastReplyId: id } : { lastReplyId: id }
      yield* processed(message, change, isSuspended && message.role !== "call")
    }
    return
  }
  // Its runner makes the chunks in their order, so the last one tells, however many there are.
  const last = request.lastReplyId === undefined ? undefined : yield* transaction.find(Chunk, request.lastReplyId)
  if (last?._tag === "Some" && last.value.sequence >= sequence) return yield* new AlreadyReplied({ requestId })
  yield* transaction.create(Chunk, { id, requestId, sequence, isAcked: false, reply })
  yield* transaction.put(Message, { ...request, lastReplyId: id })
})

/** Removes a message with its chunks. */
const remove = Effect.fnUntraced(function* (message: Message) {
  const transaction = yield* Transaction
  yield* transaction.delete(Message, message.id)
  if (message.kind === "Request") yield* removeChunks(message.id)
})

/** A record that goes costs this, and the length of its texts beside, since its event repeats them. */
const recordCost = 1_000
/** What one entry removes: it holds only so many events and bytes, and a call takes only so many steps. */
const costMax = 2_000_000
/** More records than this are never looked at for one entry. */
const seenMaxCount = costMax / recordCost + 1

/** What an entry has removed so far, and whether more did not fit. */
interface Removed {
  cost: number
  isFull: boolean
}

/** Removes messages, each after its chunks, as long as they fit into the entry. One record always fits. */
const removeFitting = Effect.fnUntraced(function* (removed: Removed, messages: ReadonlyArray<Message>) {
  const transaction = yield* Transaction
  const fits = (text: string): boolean => {
    const cost = removed.cost + recordCost + text.length
    removed.isFull = removed.cost > 0 && cost > costMax
    if (!removed.isFull) removed.cost = cost
    return !removed.isFull
  }
  for (const { envelope, exit = "", id, kind } of messages) {
    const chunks = kind === "Request" ? yield* everyRow(Chunk, { requestId: id }, seenMaxCount) : []
    for (const chunk of chunks) {
      if (!fits(chunk.reply)) return
      yield* transaction.delete(Chunk, chunk.id)
    }
    if (!fits(envelope + exit)) return
    yield* transaction.delete(Message, id)
  }
})

/** A message that is forgotten, after all that is forgotten with it. */
const withSteps = Effect.fnUntraced(function* (message: Message) {
  if (message.role !== "execution") return [message]
  const { address, id } = message
  const clocks = yield* everyRow(Message, { address: clockOf(address) }, seenMaxCount)
  const steps = yield* everyRow(Message, { address }, seenMaxCount)
  return [...clocks, ...steps.filter((step) => step.id !== id), message]
})

const removeChunks = Effect.fnUntraced(function* (requestId: string) {
  const transaction = yield* Transaction
  for (const { id } of yield* everyRow(Chunk, { requestId })) yield* transaction.delete(Chunk, id)
})

const lastReplyOf = Effect.fnUntraced(function* ({ exit, lastReplyId }: Message) {
  if (exit !== undefined) return exit
  if (lastReplyId === undefined) return null
  const transaction = yield* Transaction
  const chunk = yield* transaction.find(Chunk, lastReplyId)
  return chunk._tag === "Some" ? chunk.value.reply : null
})

/** The handlers of these commands. */
export const layerHandlers = Layer.mergeAll(
  layer(
    saveEnvelope,
    Effect.fnUntraced(function* ({ address, dueMs, envelope, id, key, kind, replyId, requestId, role, shard }) {
      const transaction = yield* Transaction
      const [known] =
        key === null ? yield* everyRow(Message, { id }) : yield* transaction.list(Message, { where: { key }, limit: 1 })
      if (known !== undefined) {
        // A copy of this very message was saved before, and its sender did not hear of that.
        if (known.id === id) return null
        return { originalId: known.id, lastReply: yield* lastReplyOf(known) }
      }
      if (replyId !== null) {
        const chunk = yield* transaction.find(Chunk, replyId)
        if (chunk._tag === "Some") yield* transaction.put(Chunk, { ...chunk.value, isAcked: true })
        // Only the last one counts.
        for (const message of yield* ofRequest(requestId)) {
          if (message.kind === "AckChunk") yield* transaction.delete(Message, message.id)
        }
      }
      if (kind !== "Request") {
        const request = yield* transaction.find(Message, requestId)
        // Nobody would process it any more.
        if (request._tag === "None" || request.value.finishedMs !== undefined) return null
      }
      yield* transaction.create(Message, {
        id,
        requestId,
        shard,
        address,
        kind,
        role,
        ...(key === null ? {} : { key }),
        ...(dueMs === null ? { openShard: shard } : { dueMs }),
        envelope
      })
      return null
    }, orDie)
  ),
  layer(
    saveReplies,
    Effect.fnUntraced(function* ({ replies, sender }) {
      for (const reply of replies) yield* saveOne(sender, reply)
    })
  ),
  layer(
    clearReplies,
    Effect.fnUntraced(function* ({ expected, requestId }) {
      const transaction = yield* Transaction
      const found = yield* transaction.find(Message, requestId)
      if (found._tag === "None" || (expected !== null && found.value.lastReplyId !== expected)) return
      yield* removeChunks(requestId)
      for (const message of yield* ofRequest(requestId)) {
        // An interrupt of a request that goes on later is delivered then. One of a request that begins anew is over.
        const isOver = message.kind === "AckChunk" || (message.kind === "Interrupt" && expected === null)
        if (isOver) yield* remove(message)
        else {
          const opened = message.dueMs === undefined ? { openShard: message.shard } : {}
          const cleared = lacking(message, "exit", "lastReplyId", "finishedMs")
          yield* transaction.put(Message, withoutAbsent({ ...cleared, ...opened } as Message))
        }
      }
    })
  ),
  layer(
    clearAddress,
    Effect.fnUntraced(function* ({ address }) {
      const removed: Removed = { cost: 0, isFull: false }
      yield* removeFitting(removed, yield* everyRow(Message, { address }, seenMaxCount))
      return !removed.isFull
    })
  ),
  layer(
    forget,
    Effect.fnUntraced(function* ({ messages }) {
      const transaction = yield* Transaction
      const removed: Removed = { cost: 0, isFull: false }
      for (const { finishedMs, id } of messages) {
        const found = yield* transaction.find(Message, id)
        if (found._tag === "None" || found.value.finishedMs !== finishedMs) continue
        yield* removeFitting(removed, yield* withSteps(found.value))
        if (removed.isFull) return false
      }
      return true
    })
  )
)

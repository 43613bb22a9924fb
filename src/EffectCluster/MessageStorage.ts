/**
 * Effect Cluster's `MessageStorage` over the log of this node. A message with its key is one entry, and so is a reply with
 * the proof that its sender holds the shard. Which messages a runner has taken, only the runner knows: the holder of a
 * shard is the only one that reads its messages.
 */
import { Context, Effect, Layer, Option } from "effect"
import { type Envelope, MessageStorage, type Reply, ShardingConfig, Snowflake } from "effect/cluster"
import type { Member } from "../Cluster/Member.ts"
import { clearAddress, clearReplies, type SavedReply, saveEnvelope, saveReplies } from "./MessageCommands.ts"
import { addressOf, Chunk, isOpen, Message, roleOf, shardOf } from "./MessageRecords.ts"
import * as Store from "./Store.ts"

/** The final replies of a transaction, until it ends. */
const Pending = Context.Reference<Array<typeof SavedReply.Type> | undefined>("lithair/EffectCluster/Pending", {
  defaultValue: () => undefined
})

/** After this time a message that a runner has taken is given to it once more, as by Effect's other storages. */
const claimMs = 10 * 60_000

type Saved = Store.Found<Message>

const inOrder = (left: Store.Found<object>, right: Store.Found<object>): number =>
  left.createdIndex - right.createdIndex

/** Makes the storage as Effect's adapter takes it. Replies are those of the runner at `sender`. */
export const makeEncoded = Effect.fnUntraced(function* (sender: string) {
  const store = yield* Store.make
  /** When this runner took each message that is not processed. */
  const claims = new Map<string, number>()

  const unclaim = (isMeant: (message: Message) => boolean) =>
    Effect.sync(() => {
      for (const id of claims.keys()) {
        const found = store.get(Message, id)
        if (found === undefined || isMeant(found.record)) claims.delete(id)
      }
    })

  const chunksOf = (requestId: string) =>
    store
      .list(Chunk, "requestId", requestId)
      .map(({ record }) => record)
      .sort((left, right) => left.sequence - right.sequence)

  const repliesOf = (requestId: string, isAll: boolean): ReadonlyArray<Reply.Encoded> => {
    const chunks = chunksOf(requestId).filter(({ isAcked }) => isAll || !isAcked)
    const exit = store.get(Message, requestId)?.record.exit
    return [...chunks.map(({ reply }) => reply), ...(exit === undefined ? [] : [exit])].map(parse)
  }

  /** A request that has a reply which its client has not seen waits for the client. */
  const isWaiting = ({ record }: Saved, now: number): boolean => {
    if (!isOpen(record, now)) return false
    if (store.get(Message, record.requestId)?.record.exit !== undefined) return false
    return chunksOf(record.requestId).every(({ isAcked }) => isAcked)
  }

  /** The messages of these shards that were for later, and are due now. */
  const dueIn = (shards: ReadonlyArray<string>, now: number): ReadonlyArray<Saved> => {
    const meant = new Set(shards)
    const due: Array<Saved> = []
    for (const message of store.from(Message, "dueMs", 0)) {
      if ((message.record.dueMs ?? 0) > now) break
      if (meant.has(message.record.shard)) due.push(message)
    }
    return due
  }

  const told = ({ record }: Saved) => {
    const chunk = record.kind === "Request" && record.lastReplyId !== undefined ? record.lastReplyId : undefined
    const found = chunk === undefined ? undefined : store.get(Chunk, chunk)
    return {
      envelope: JSON.parse(record.envelope) as Envelope.Encoded,
      lastSentReply: Option.map(Option.fromUndefinedOr(found), ({ record: { reply } }) => parse(reply))
    }
  }

  const save = (replies: ReadonlyArray<typeof SavedReply.Type>) =>
    Effect.tap(store.call(saveReplies, { sender, replies }), () =>
      Effect.sync(() => {
        for (const { requestId, sequence } of replies) if (sequence === null) claims.delete(requestId)
      })
    )

  const encoded: MessageStorage.Encoded = {
    saveEnvelope: ({ deliverAt, envelope, primaryKey }) =>
      Effect.map(store.call(saveEnvelope, toSave(envelope, primaryKey, deliverAt)), (known) =>
        known === null
          ? MessageStorage.SaveResultEncoded.Success()
          : MessageStorage.SaveResultEncoded.Duplicate({
              originalId: Snowflake.Snowflake(known.originalId),
              lastReceivedReply: Option.map(Option.fromNullishOr(known.lastReply), parse)
            })
      ),
    saveReply: (reply) =>
      Pending.use((pending) => {
        const saved = savedOf(reply)
        if (pending === undefined || saved.sequence !== null) return save([saved])
        return Effect.sync(() => void pending.push(saved))
      }),
    clearReplies: (requestId, options) =>
      Effect.tap(
        store.call(clearReplies, {
          requestId: String(requestId),
          expected: options?.expectedReplyId === undefined ? null : String(options.expectedReplyId)
        }),
        () => Effect.sync(() => claims.delete(String(requestId)))
      ),
    requestIdForPrimaryKey: (key) =>
      store.read(() =>
        Option.map(Option.fromUndefinedOr(store.list(Message, "key", key)[0]), ({ record }) =>
          Snowflake.Snowflake(record.id)
        )
      ),
    // Effect asks again until there is a reply, so the applied state is enough.
    repliesFor: (requestIds) => Effect.sync(() => requestIds.flatMap((id) => repliesOf(id, false))),
    repliesForUnfiltered: (requestIds) => store.read(() => requestIds.flatMap((id) => repliesOf(id, true))),
    unprocessedMessages: (shards, now, options) =>
      store.read(() => {
        const only = options?.addresses && new Set(options.addresses.map(placeOf))
        const isClaimed = (id: string) => (claims.get(id) ?? Number.NEGATIVE_INFINITY) > now - claimMs
        const waiting = [...shards.flatMap((shard) => store.list(Message, "openShard", shard)), ...dueIn(shards, now)]
          .filter(({ record: { address, id, shard } }) => !isClaimed(id) && only?.has(`${shard}/${address}`) !== false)
          .filter((message) => isWaiting(message, now))
          .sort(inOrder)
          .slice(0, options?.limit)
        for (const { record } of waiting) {
          // The oldest claims come first.
          claims.delete(record.id)
          claims.set(record.id, now)
        }
        for (const [id, takenMs] of claims) {
          if (takenMs > now - claimMs) break
          claims.delete(id)
        }
        return waiting.map(told)
      }),
    unprocessedMessagesById: (ids, now) =>
      store.read(() =>
        ids
          .flatMap((id) => store.get(Message, String(id)) ?? [])
          .filter((message) => isWaiting(message, now))
          .sort(inOrder)
          .map(told)
      ),
    resetRequests: (ids) => Effect.sync(() => ids.forEach((id) => void claims.delete(String(id)))),
    resetAddresses: (addresses) => {
      const meant = new Set(addresses.map(placeOf))
      return unclaim(({ address, shard }) => meant.has(`${shard}/${address}`))
    },
    resetShards: (shards) => {
      const meant = new Set(shards)
      return unclaim(({ shard }) => meant.has(shard))
    },
    clearAddress: (address) =>
      Effect.asVoid(
        Effect.repeat(store.call(clearAddress, { address: addressOf(address) }), { until: (areGone) => areGone })
      ),
    withTransaction: (effect) =>
      Pending.use((outer) => {
        if (outer !== undefined) return effect
        const replies: Array<typeof SavedReply.Type> = []
        return Effect.tap(Effect.provideService(effect, Pending, replies), () =>
          replies.length === 0 ? Effect.void : Effect.orDie(save(replies))
        )
      })
  }
  return { encoded, isClaimed: (id: string) => claims.has(id) }
})

const parse = (reply: string): Reply.Encoded => JSON.parse(reply) as Reply.Encoded

const placeOf = ({
  shardId,
  ...entity
}: {
  readonly shardId: { readonly group: string; readonly id: number }
  readonly entityType: string
  readonly entityId: string
}) => `${shardOf(shardId)}/${addressOf(entity)}`

const toSave = (
  envelope: Envelope.Encoded,
  key: string | null,
  dueMs: number | null
): (typeof saveEnvelope)["payload"]["Type"] => ({
  id: envelope._tag === "Request" ? envelope.requestId : envelope.id,
  requestId: envelope.requestId,
  shard: shardOf(envelope.address.shardId),
  address: addressOf(envelope.address),
  kind: envelope._tag,
  role: roleOf(envelope.address.entityType, envelope._tag === "Request" ? envelope.tag : undefined),
  key,
  dueMs,
  replyId: envelope._tag === "AckChunk" ? envelope.replyId : null,
  envelope: JSON.stringify(envelope)
})

const savedOf = (reply: Reply.Encoded): typeof SavedReply.Type => ({
  id: reply.id,
  requestId: reply.requestId,
  sequence: reply._tag === "Chunk" ? reply.sequence : null,
  isSuspended: reply._tag === "WithExit" && isSuspended(reply.exit),
  reply: JSON.stringify(reply)
})

/** A workflow that waits answers that it is suspended, and answers again when it goes on. */
const isSuspended = (exit: unknown): boolean => {
  const { _tag, value } = exit as { readonly _tag: string; readonly value?: unknown }
  return _tag === "Success" && (value as { readonly _tag?: unknown } | null | undefined)?._tag === "Suspended"
}

/** The messages that the runner of this node has taken, and its address. */
export class Claims extends Context.Service<
  Claims,
  { readonly runner: string; readonly has: (id: string) => boolean }
>()("lithair/EffectCluster/Claims") {}

/** Keeps messages and replies in the log of this node. */
export const layerMessages: Layer.Layer<
  MessageStorage.MessageStorage | Claims,
  never,
  ShardingConfig.ShardingConfig | Member
> = Layer.effectContext(
  Effect.gen(function* () {
    const { runnerAddress } = yield* ShardingConfig.ShardingConfig
    // A program that only sends requests answers none.
    const sender = Option.match(runnerAddress, { onNone: () => "", onSome: ({ host, port }) => `${host}:${port}` })
    const { encoded, isClaimed } = yield* makeEncoded(sender)
    return Context.make(Claims, { runner: sender, has: isClaimed }).pipe(
      Context.add(MessageStorage.MessageStorage, yield* MessageStorage.makeEncoded(encoded))
    )
  })
).pipe(Layer.provide(Snowflake.layerGenerator))

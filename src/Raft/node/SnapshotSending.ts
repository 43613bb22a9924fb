/**
 * Sends a snapshot to a peer that lacks compacted entries: chunk by chunk, each after the one before is stored there,
 * from where the peer has come (C13). It uses the bulk lane, so no urgent message waits behind it. Raft §7.
 */
import { Effect, Queue } from "effect"
import { type OpenSnapshot, SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { InstallSnapshot, InstallSnapshotReply, NodeId } from "../core/Message.ts"

/** The size of a chunk: small compared with the queue of a lane, large compared with its answer. */
const chunkBytes = 256 * 1024
/**
 * The pause between two chunks, so that other work has its turn at both ends. It allows at most ten mebibytes a second.
 */
const chunkPauseMs = 25
/** A chunk without an answer is sent again after this, or at once if the link broke and is up again. */
const replyTimeoutMs = 2_000
/** After this many unanswered chunks the sender gives up. The core asks again once it hears from the peer. */
const unansweredMaxCount = 5

const lost = "lost" as const

type Reply = InstallSnapshotReply | typeof lost

export interface SendingOptions {
  readonly currentTerm: () => number
  readonly isLeader: () => boolean
  readonly send: (to: NodeId, message: InstallSnapshot) => void
  /** Takes a snapshot of the applied state, and returns when it is durable. */
  readonly takeNow: Effect.Effect<void>
}

/** The snapshots on their way to peers. */
export interface Sending {
  /** Sends until the peer has installed the snapshot or does not answer, and returns whether it has. */
  readonly sendTo: (peer: NodeId, atLeastIndex: number) => Effect.Effect<boolean, never, SnapshotStore>
  readonly onReply: (peer: NodeId, reply: InstallSnapshotReply) => void
  /** Earlier messages to the peer may be lost; new ones can arrive. */
  readonly onReachable: (peer: NodeId) => void
}

export const make = (options: SendingOptions): Sending => {
  /** The answers of each peer that receives a snapshot. `lost` means that the chunk must be sent again. */
  const replies = new Map<NodeId, Queue.Queue<Reply>>()
  /** Each peer receives one at a time, whether the core or the peer asked for it. */
  const underWay = new Set<NodeId>()

  const newest = Effect.fnUntraced(function* (atLeastIndex: number) {
    const snapshots = yield* SnapshotStore
    const held = yield* snapshots.openNewest({ atLeastIndex })
    if (held !== undefined) return held
    yield* options.takeNow
    return yield* snapshots.openNewest({ atLeastIndex })
  })

  const sendChunk = Effect.fnUntraced(function* (peer: NodeId, { info, read }: OpenSnapshot, offset: number) {
    const chunk = yield* read({ offset, lengthBytes: chunkBytes })
    options.send(peer, {
      _tag: "InstallSnapshot",
      term: options.currentTerm(),
      snapshotIndex: info.index,
      snapshotTerm: info.term,
      configuration: info.configuration,
      totalBytes: info.fileBytes,
      digest: info.digest,
      offset,
      chunk
    })
  })

  const sendAll = Effect.fnUntraced(function* (peer: NodeId, snapshot: OpenSnapshot, inbox: Queue.Queue<Reply>) {
    let offset = 0
    for (let unansweredCount = 0; unansweredCount < unansweredMaxCount; ) {
      if (!options.isLeader()) return false
      yield* sendChunk(peer, snapshot, offset)
      const reply = yield* Queue.take(inbox).pipe(
        Effect.timeoutOrElse({ duration: replyTimeoutMs, orElse: () => Effect.succeed<Reply>(lost) })
      )
      if (reply === lost) unansweredCount++
      else if (reply.installed) {
        yield* Effect.logInfo(`${peer} has installed the snapshot through entry ${snapshot.info.index}`)
        return true
      } else if (reply.snapshotIndex === snapshot.info.index) {
        unansweredCount = 0
        offset = reply.receivedBytes
        yield* Effect.sleep(chunkPauseMs)
      }
    }
    return false
  })

  const sendNewest = (peer: NodeId, atLeastIndex: number) =>
    Effect.gen(function* () {
      const snapshot = yield* newest(atLeastIndex)
      if (snapshot === undefined) return false
      const inbox = yield* Queue.sliding<Reply>(4)
      replies.set(peer, inbox)
      return yield* sendAll(peer, snapshot, inbox)
    }).pipe(
      Effect.scoped,
      Effect.catch((error) => Effect.as(Effect.logWarning(`Cannot send a snapshot to ${peer}`, error), false)),
      Effect.ensuring(
        Effect.sync(() => {
          replies.delete(peer)
          underWay.delete(peer)
        })
      )
    )

  const offer = (peer: NodeId, reply: Reply): void => {
    const inbox = replies.get(peer)
    if (inbox !== undefined) Queue.offerUnsafe(inbox, reply)
  }

  return {
    sendTo: (peer, atLeastIndex) =>
      Effect.suspend(() => {
        if (underWay.has(peer)) return Effect.succeed(false)
        underWay.add(peer)
        return sendNewest(peer, atLeastIndex)
      }),
    onReply: (peer, reply) => offer(peer, reply),
    onReachable: (peer) => offer(peer, lost)
  }
}

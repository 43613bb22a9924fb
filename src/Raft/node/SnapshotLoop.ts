/**
 * The shell of snapshots: it takes them in the background, sends them to peers, receives them from leaders, and
 * compacts the log. It logs failures and tries again later; only a failure of the log itself ends a node. Raft §7.
 */
import { type Cause, Effect, Queue } from "effect"
import { LogSpace } from "../../EventStore/LogSpace.ts"
import type { SnapshotContent } from "../../EventStore/SnapshotFormat.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { Input } from "../core/Input.ts"
import type { NodeId } from "../core/Message.ts"
import type { Output, SnapshotRequest } from "../core/Output.ts"
import type { State } from "../core/State.ts"
import { Transport } from "../peers/Transport.ts"
import * as SnapshotReceiving from "./SnapshotReceiving.ts"
import * as SnapshotSending from "./SnapshotSending.ts"
import * as SnapshotTaking from "./SnapshotTaking.ts"

/** The limit on chunks that wait to be stored. A sender sends one at a time, and the oldest give way. */
export const chunksMaxCount = 16

export interface SnapshottingOptions {
  readonly core: Readonly<State>
  readonly machine: { readonly snapshot: () => SnapshotContent }
  readonly appliedIndex: () => number
  readonly snapshotAfterBytes: number
  readonly put: (input: Input) => void
  /** Called when a leader's snapshot is whole and kept. */
  readonly onReceived: (index: number) => void
  /** Called with a broken invariant, which ends the node. */
  readonly onDefect: (cause: Cause.Cause<never>) => Effect.Effect<unknown>
  readonly fork: (effect: Effect.Effect<void>) => void
}

export const make = Effect.fnUntraced(function* (options: SnapshottingOptions) {
  const { core, fork, put } = options
  const space = yield* LogSpace
  const snapshots = yield* SnapshotStore
  const transport = yield* Transport
  const chunks = yield* Queue.sliding<SnapshotReceiving.Chunk>(chunksMaxCount)
  /** The log that the snapshot replaces is history from then on. What cannot be kept is fetched from peers, or missing. */
  const keepCommitted = Effect.suspend(() => space.keep({ throughIndex: core.commitIndex })).pipe(
    Effect.catch((error) => Effect.logWarning("Cannot keep the history before a leader's snapshot", error))
  )
  const receive = yield* SnapshotReceiving.make(keepCommitted)

  const inBackground = (what: string, effect: Effect.Effect<unknown, unknown, SnapshotStore>): Effect.Effect<void> =>
    effect.pipe(
      Effect.provideService(SnapshotStore, snapshots),
      Effect.catch((error) => Effect.logWarning(`Cannot ${what}`, error)),
      Effect.catchCause((cause) => options.onDefect(cause)),
      Effect.asVoid
    )
  const taking = yield* SnapshotTaking.make({
    core,
    appliedIndex: options.appliedIndex,
    content: options.machine.snapshot,
    onTaken: (index) => put({ _tag: "LocalSnapshot", index }),
    snapshotAfterBytes: options.snapshotAfterBytes
  })
  const takeNow = inBackground("take a snapshot", taking.take)
  const sending = SnapshotSending.make({
    currentTerm: () => core.currentTerm,
    isLeader: () => core.role._tag === "Leader",
    send: (to, message) => transport.send(to, "bulk", message),
    takeNow
  })
  const send = ({ atLeastIndex, peer }: SnapshotRequest) =>
    inBackground(
      `send a snapshot to ${peer}`,
      Effect.map(sending.sendTo(peer, atLeastIndex), (ok) => put({ _tag: "SnapshotSent", peer, ok }))
    )

  const received = (input: Input): void => {
    put(input)
    if (input._tag === "SnapshotInstalled") options.onReceived(input.index)
  }

  return {
    /** Sends a snapshot to a peer that asked for it itself. */
    sendTo: (peer: NodeId, atLeastIndex: number): void =>
      fork(inBackground(`send a snapshot to ${peer}`, sending.sendTo(peer, atLeastIndex))),
    /** Takes a snapshot of the applied state, in place of older ones that may be wrong. */
    takeAnew: (): void => fork(inBackground("take a snapshot", taking.takeAnew)),
    /** Takes a snapshot of the applied state, unless there is one already. A failure is logged. */
    takeNow,
    /** Begins the work that an output asks for. */
    perform: (output: Output): void => {
      if (output.snapshotChunk !== undefined) Queue.offerUnsafe(chunks, output.snapshotChunk)
      if (output.snapshotReply !== undefined) sending.onReply(output.snapshotReply.peer, output.snapshotReply.message)
      for (const request of output.needsSnapshot) fork(send(request))
      if (output.compact !== undefined) fork(inBackground("compact the log", space.compact(output.compact)))
    },
    onReachable: sending.onReachable,
    onApplied: taking.onApplied,
    /** Takes a snapshot if one is due. */
    takeDue: (): void => {
      if (taking.begins()) fork(takeNow)
    },
    /** Stores a leader's chunks, one after another, until it is interrupted. */
    storeChunks: Effect.forever(
      Effect.flatMap(Queue.take(chunks), (chunk) =>
        inBackground(`store a snapshot from ${chunk.from}`, Effect.map(receive(chunk), received))
      )
    )
  }
})

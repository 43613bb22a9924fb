/**
 * Receives a snapshot. It stores chunks as they come, and they survive a restart. Once whole and verified, the snapshot
 * is one of this node's own (C13). It receives one at a time, and starts over if one is damaged.
 */
import { Effect } from "effect"
import type { LogFailed } from "../../EventStore/LogStore.ts"
import { type Receiving, SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import { decodeConfiguration } from "../core/ConfigurationCodec.ts"
import type { Input } from "../core/Input.ts"
import type { InstallSnapshot, NodeId } from "../core/Message.ts"

/** A chunk from a leader, and that leader. */
export interface Chunk {
  readonly from: NodeId
  readonly message: InstallSnapshot
}

/**
 * Stores chunks one after another, and returns the input for the core after each. It runs `beforeWhole` once all chunks
 * are here, and before the snapshot is one that a start would believe: the log begins anew behind it.
 */
export const make = Effect.fnUntraced(function* (beforeWhole: Effect.Effect<void>) {
  const snapshots = yield* SnapshotStore
  let receiving: Receiving | undefined

  const open = Effect.fnUntraced(function* ({ digest, snapshotIndex, snapshotTerm, totalBytes }: InstallSnapshot) {
    const { offer } = receiving ?? {}
    if (receiving !== undefined && offer?.digest === digest && offer.index === snapshotIndex) return receiving
    const begun = yield* snapshots.receive({ index: snapshotIndex, term: snapshotTerm, fileBytes: totalBytes, digest })
    receiving = begun
    return begun
  })

  return Effect.fnUntraced(function* ({ from, message }: Chunk): Effect.fn.Return<Input, LogFailed> {
    const { snapshotIndex } = message
    const received = (receivedBytes: number): Input => ({
      _tag: "SnapshotReceived",
      from,
      snapshotIndex,
      receivedBytes
    })
    const stored = Effect.gen(function* () {
      const begun = yield* open(message)
      const receivedBytes = yield* begun.append({ offset: message.offset, bytes: message.chunk })
      if (receivedBytes < message.totalBytes) return received(receivedBytes)
      yield* beforeWhole
      const { configuration, index, term } = yield* begun.finish
      receiving = undefined
      const decoded = decodeConfiguration(configuration)
      if (decoded._tag === "BadConfiguration") return received(0)
      return { _tag: "SnapshotInstalled", index, term, configuration: decoded.configuration } satisfies Input
    })
    return yield* Effect.catchTag(stored, "SnapshotDamaged", (damaged) => {
      receiving = undefined
      return Effect.as(Effect.logWarning(`A snapshot from ${from} came damaged: ${damaged.message}`), received(0))
    })
  })
})

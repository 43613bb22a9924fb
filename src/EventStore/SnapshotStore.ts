/**
 * Snapshots of a node, as its users see them: written piece by piece, verified when they are opened, sent and received
 * in chunks of the file's own bytes. The last two are kept. Not the format (FORMAT.md) and not what is in them
 * (Machine/Snapshot.ts). Raft §7.
 */
import { Context, type Effect, Schema, type Scope, type Stream } from "effect"
import type { LogFailed } from "./LogStore.ts"
import type { SnapshotContent, SnapshotInfo, SnapshotMetadata } from "./SnapshotFormat.ts"

export type { SnapshotInfo, SnapshotMetadata } from "./SnapshotFormat.ts"

/** Bytes that are not those of a whole, intact snapshot. The node's log and its other snapshots are none the worse. */
export class SnapshotDamaged extends Schema.TaggedError<SnapshotDamaged>()("SnapshotDamaged", {
  message: Schema.String,
  file: Schema.String,
  offset: Schema.Int
}) {}

/** An intact snapshot, held open: it stays readable though newer ones take its place meanwhile. */
export interface OpenSnapshot {
  readonly info: SnapshotInfo
  /** Bytes of the file, header and trailer included: what a leader sends. Fewer at the end of the file. */
  readonly read: (range: {
    readonly offset: number
    readonly lengthBytes: number
  }) => Effect.Effect<Uint8Array, LogFailed>
  /** What was written, in order; the pieces may be cut elsewhere. */
  readonly content: Stream.Stream<Uint8Array, LogFailed | SnapshotDamaged>
}

/** A snapshot that a leader offers: which one, and what its file is. */
export interface SnapshotOffer {
  readonly index: number
  readonly term: number
  readonly fileBytes: number
  readonly digest: string
}

/** A snapshot on its way here (C13). What was received survives a restart: the same offer goes on from there. */
export interface Receiving {
  readonly offer: SnapshotOffer
  /** Intact bytes from the beginning of the file on: the offset of the chunk that is to come next. */
  readonly receivedBytes: () => number
  /** Takes the chunk if it begins there, and changes nothing otherwise; gives {@link receivedBytes} either way. */
  readonly append: (chunk: {
    readonly offset: number
    readonly bytes: Uint8Array
  }) => Effect.Effect<number, LogFailed | SnapshotDamaged>
  /** Verifies all of it, and makes it a snapshot of this node; durable when it returns. What is damaged is thrown away. */
  readonly finish: Effect.Effect<SnapshotInfo, LogFailed | SnapshotDamaged>
  /** Throws away what was received. */
  readonly abort: Effect.Effect<void, LogFailed>
}

/** The snapshots of one node. */
export class SnapshotStore extends Context.Service<
  SnapshotStore,
  {
    /** Those that are whole by their names, newest first. */
    readonly list: Effect.Effect<ReadonlyArray<{ readonly index: number; readonly term: number }>, LogFailed>
    /**
     * The newest intact one, verified byte for byte; undefined if there is none. Damaged ones are set aside with a
     * warning. One below `atLeastIndex` is of no use, since the log does not reach back to it: pass `firstIndex` − 1.
     * One above `atMostIndex` is passed over.
     */
    readonly openNewest: (options?: {
      readonly atLeastIndex?: number
      readonly atMostIndex?: number
    }) => Effect.Effect<OpenSnapshot | undefined, LogFailed, Scope.Scope>
    /** Writes a snapshot; durable when it returns. Other fibers run between chunks. */
    readonly write: (snapshot: SnapshotMetadata & SnapshotContent) => Effect.Effect<SnapshotInfo, LogFailed>
    /** Begins to receive what is offered, or goes on with it. Whatever else was being received is given up. */
    readonly receive: (offer: SnapshotOffer) => Effect.Effect<Receiving, LogFailed>
    /**
     * Removes all snapshots below `index`, whole, damaged or in part. Call it once a snapshot at or above it is durable:
     * those hold data that was erased at `index`.
     */
    readonly removeBelow: (index: number) => Effect.Effect<void, LogFailed>
    /** Ends when a snapshot that was written, received or opened here is gone. */
    readonly watch: Effect.Effect<never, LogFailed>
  }
>()("lithair/EventStore/SnapshotStore") {}

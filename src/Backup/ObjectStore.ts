/**
 * The port to a place for backups: named objects, each of which is there as a whole or not at all. DirectoryStore.ts has a
 * directory, S3Store.ts a bucket. What the objects are is in Shipped.ts.
 */
import { Context, type Effect, Schema, type Stream } from "effect"

/** A store refused or did not answer. An object that was to be written is there as a whole, or not at all. */
export class StoreFailed extends Schema.TaggedError<StoreFailed>()("StoreFailed", { message: Schema.String }) {}

/**
 * A place for backups. A name is a folder and a name in it, `folder/name`, of letters, digits, dots and hyphens; the same
 * bytes always have the same name, so writing again is no harm.
 */
export class ObjectStore extends Context.Service<
  ObjectStore,
  {
    /** What it is, for people: without secrets. */
    readonly place: string
    /**
     * Writes an object, in bounded memory, and returns its size in bytes. It is durable, and has its name, once this
     * returns. If the bytes fail, nothing is left.
     */
    readonly put: <E, R>(
      name: string,
      bytes: Stream.Stream<Uint8Array, E, R>
    ) => Effect.Effect<number, StoreFailed | E, R>
    /** The bytes of an object, as fast as they are taken. */
    readonly get: (name: string) => Stream.Stream<Uint8Array, StoreFailed>
    /** The folders that hold objects. */
    readonly folders: Effect.Effect<ReadonlyArray<string>, StoreFailed>
    /** The objects of a folder, without it: none if there is no such folder. */
    readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, StoreFailed>
    /** Removes an object. It is no failure if there is none: another node may have removed it. */
    readonly remove: (name: string) => Effect.Effect<void, StoreFailed>
    /** Removes what writes into a folder left that were cut off. Nobody else may write into it meanwhile. */
    readonly sweep: (folder: string) => Effect.Effect<void, StoreFailed>
  }
>()("lithair/Backup/ObjectStore") {}

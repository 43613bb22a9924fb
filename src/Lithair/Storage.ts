/** Storage of a node, as layers: files, or the memory of this process. */
import { Effect, Layer } from "effect"
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import { type Directory, type DirectoryMismatch, layerDirectory } from "../EventStore/Directory.ts"
import type { DirectoryInUse } from "../EventStore/DirectoryLock.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import * as MemoryDirectory from "../EventStore/MemoryDirectory.ts"
import { Place } from "./Place.ts"

/** Why a data directory cannot be opened. */
export type StorageFailure = LogFailed | LogCorrupt | DirectoryMismatch | DirectoryInUse

/** Keeps data in a directory, created if missing, and locked while the node runs. */
export const layerFile = (options: { readonly directory: string }): Layer.Layer<Directory, StorageFailure, Place> =>
  Layer.unwrap(
    Effect.map(Place, ({ address, id }) => layerDirectory({ ...options, nodeId: id, isDefaultId: id === address }))
  )

/** Keeps data in memory until the process ends: for tests, and for data that need not last. */
export const layerMemory: Layer.Layer<Directory, never, Place> = Layer.unwrap(
  Effect.map(Place, ({ id }) =>
    MemoryDirectory.layerMemory(MemoryDirectory.makeMemoryDisk({ nodeId: id, instanceId: uuidV4Unsafe() }))
  )
)

/** Reads from a node's log, at its start, the cluster's members and the entry that formed it. Part of the shell. */
import { Effect } from "effect"
import { LogCorrupt, type LogFailed, type LogStore } from "../../EventStore/LogStore.ts"
import { empty } from "../core/Configuration.ts"
import { decodeConfiguration } from "../core/ConfigurationCodec.ts"
import type { ConfigurationAt } from "../core/Configurations.ts"

type Store = LogStore["Service"]

const entryAt = (store: Store, index: number) =>
  Effect.map(store.read({ fromIndex: index, toIndex: index, maxBytes: 1 }), ([entry]) => entry)

/** Every configuration in the log, committed or not. If there is none, an empty one: the leader will send it. */
export const configurationsOf = Effect.fnUntraced(function* (
  store: Store
): Effect.fn.Return<ReadonlyArray<ConfigurationAt>, LogFailed | LogCorrupt> {
  const found: Array<ConfigurationAt> = []
  for (const index of store.recovered.configurationIndexes ?? []) {
    const entry = yield* entryAt(store, index)
    const decoded = entry === undefined ? undefined : decodeConfiguration(entry.payload)
    if (decoded?._tag !== "Configuration") {
      const message = `Cannot read the configuration at entry ${index}: ${decoded?.found ?? "no such entry"}`
      return yield* new LogCorrupt({ message, file: "log", offset: 0, index })
    }
    found.push({ index, configuration: decoded.configuration })
  }
  return found.length === 0 ? [{ index: 0, configuration: empty }] : found
})

/**
 * The entry that formed the cluster, for peers that were not there; undefined if neither this log nor its history reaches
 * back to it.
 */
export const firstEntryOf = (store: Store) =>
  store.recovered.lastIndex === 0
    ? Effect.succeed(undefined)
    : Effect.catchIf(
        entryAt(store, 1),
        (error) => error._tag === "LogFailed" && error.reason === "compacted",
        () => Effect.succeed(undefined)
      )

/** A member has at least promised a term. If its log knows no term, the log was emptied and its vote is lost (C16). */
export const checkNotEmptied = (store: Store, what: { readonly nodeId: string; readonly clusterId: string }) => {
  const { hardState, lastIndex } = store.recovered
  const message = `Cannot start ${what.nodeId}: it belongs to cluster ${what.clusterId}, and its log is empty`
  return lastIndex === 0 && hardState.currentTerm === 0
    ? Effect.fail(new LogCorrupt({ message, file: "log", offset: 0, index: 1 }))
    : Effect.void
}

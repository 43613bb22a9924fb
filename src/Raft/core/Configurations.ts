/**
 * The configurations that a log holds, each with the index of its entry. A server uses the latest one in its log,
 * committed or not (§6): effective on append, and rolled back when its entry is truncated. Pure, owned, mutable.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import { type Configuration, type ConfigurationMember, names } from "./Configuration.ts"
import { decodeConfiguration } from "./ConfigurationCodec.ts"

/** `index` is that of the entry, or below it where the entry itself is compacted away; 0 where there was none. */
export interface ConfigurationAt {
  readonly index: number
  readonly configuration: Configuration
}

/** Never empty, ascending by index. */
export type Configurations = Array<ConfigurationAt>

/** Those of a log, behind the one of a snapshot that stands for its beginning. */
export const make = (recovered: ReadonlyArray<ConfigurationAt>, snapshot?: ConfigurationAt): Configurations => {
  const above = recovered.filter(({ index }) => snapshot === undefined || index > snapshot.index)
  const configurations = above.toSorted((a, b) => a.index - b.index)
  if (snapshot !== undefined) configurations.unshift({ index: snapshot.index, configuration: snapshot.configuration })
  invariant(configurations.length > 0, "a node starts without any configuration, not even an empty one")
  return configurations
}

export const latest = (configurations: Configurations): ConfigurationAt => configurations[configurations.length - 1]!

/** The one in force once all entries through `index` are applied. */
export const at = (configurations: Configurations, index: number): ConfigurationAt =>
  configurations.findLast((each) => each.index <= index) ?? configurations[0]!

/** The index of the last one, at most `throughIndex`, that names a node with this very data directory. */
export const lastNaming = (
  configurations: Configurations,
  own: { readonly nodeId: string; readonly instanceId: string },
  throughIndex = Number.POSITIVE_INFINITY
): number | undefined => {
  const member: Pick<ConfigurationMember, "id" | "instanceId"> = { id: own.nodeId, instanceId: own.instanceId }
  return configurations.findLast(({ configuration, index }) => index <= throughIndex && names(configuration, member))
    ?.index
}

/** A payload that this code cannot read stops the node: it would count quorums wrongly ever after. */
export const append = (configurations: Configurations, entry: LogEntry): void => {
  const decoded = decodeConfiguration(entry.payload)
  invariant(
    decoded._tag === "Configuration",
    `entry ${entry.index} is a configuration that this node cannot read: ${decoded._tag === "BadConfiguration" ? decoded.found : ""}`
  )
  invariant(latest(configurations).index < entry.index, `entry ${entry.index} is not the latest configuration`)
  configurations.push({ index: entry.index, configuration: decoded.configuration })
}

export const truncate = (configurations: Configurations, fromIndex: number): void => {
  while (latest(configurations).index >= fromIndex) configurations.pop()
}

/** The log starts anew behind a snapshot, which holds the one in force there. */
export const startAfter = (configurations: Configurations, at: ConfigurationAt): void => {
  configurations.splice(0, configurations.length, at)
}

/** Forgets those that no snapshot at or above `throughIndex` can name. */
export const forget = (configurations: Configurations, throughIndex: number): void => {
  while (configurations.length > 1 && configurations[1]!.index <= throughIndex) configurations.shift()
}

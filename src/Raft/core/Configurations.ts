/**
 * The configurations in a log, each with the index of its entry. A server uses the latest one in its log, committed or
 * not (§6). It takes effect when it is appended, and is undone when its entry is truncated. Pure, owned, mutable.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import { type Configuration, type ConfigurationMember, names } from "./Configuration.ts"
import { decodeConfiguration } from "./ConfigurationCodec.ts"

/**
 * A configuration and the index of its entry. If that entry is compacted away, `index` is at or above it; 0 if there
 * was none.
 */
export interface ConfigurationAt {
  readonly index: number
  readonly configuration: Configuration
}

/** Never empty, ascending by index. */
export type Configurations = Array<ConfigurationAt>

/**
 * The configurations of a recovered log. A snapshot's configuration stands for the entries that the snapshot replaces.
 */
export const make = (recovered: ReadonlyArray<ConfigurationAt>, snapshot?: ConfigurationAt): Configurations => {
  const above = recovered.filter(({ index }) => snapshot === undefined || index > snapshot.index)
  const configurations = above.toSorted((a, b) => a.index - b.index)
  if (snapshot !== undefined) configurations.unshift({ index: snapshot.index, configuration: snapshot.configuration })
  invariant(configurations.length > 0, "a node starts without any configuration, not even an empty one")
  return configurations
}

/** The configuration in force: the last one, committed or not (§6). */
export const latest = (configurations: Configurations): ConfigurationAt => configurations[configurations.length - 1]!

/** The configuration in force once every entry through `index` is applied. */
export const at = (configurations: Configurations, index: number): ConfigurationAt =>
  configurations.findLast((each) => each.index <= index) ?? configurations[0]!

/** The index of the last configuration, at most `throughIndex`, that names this very data directory. */
export const lastNaming = (
  configurations: Configurations,
  own: { readonly nodeId: string; readonly instanceId: string },
  throughIndex = Number.POSITIVE_INFINITY
): number | undefined => {
  const member: Pick<ConfigurationMember, "id" | "instanceId"> = { id: own.nodeId, instanceId: own.instanceId }
  return configurations.findLast(({ configuration, index }) => index <= throughIndex && names(configuration, member))
    ?.index
}

/**
 * Adds the configuration in `entry`. A node stops if it cannot read one, since it would count quorums wrongly from then
 * on.
 */
export const append = (configurations: Configurations, entry: LogEntry): void => {
  const decoded = decodeConfiguration(entry.payload)
  invariant(
    decoded._tag === "Configuration",
    `entry ${entry.index} is a configuration that this node cannot read: ${decoded._tag === "BadConfiguration" ? decoded.found : ""}`
  )
  invariant(latest(configurations).index < entry.index, `entry ${entry.index} is not the latest configuration`)
  configurations.push({ index: entry.index, configuration: decoded.configuration })
}

/** Undoes the configurations at or above `fromIndex`. */
export const truncate = (configurations: Configurations, fromIndex: number): void => {
  while (latest(configurations).index >= fromIndex) configurations.pop()
}

/** Starts over after a snapshot, with the configuration that the snapshot holds. */
export const startAfter = (configurations: Configurations, at: ConfigurationAt): void => {
  configurations.splice(0, configurations.length, at)
}

/** Forgets configurations that no snapshot at or above `throughIndex` needs. */
export const forget = (configurations: Configurations, throughIndex: number): void => {
  while (configurations.length > 1 && configurations[1]!.index <= throughIndex) configurations.shift()
}

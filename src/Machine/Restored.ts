/**
 * How a log began that continues the state of another one: after a restore of an archive, or a recovery of one
 * directory. Pure. Rows keep the versions that they had. No version and no index that the former log may have given
 * meanwhile is given again, so all begin above a floor. docs/backup.md.
 */

/** The beginning of such a log. */
export interface Restored {
  /** The next version of every record, of whatever model, is above it. */
  readonly versionFloor: number
  /** The clusters whose place this one took, newest first. Their nodes are told to stop. */
  readonly formerClusterIds: ReadonlyArray<string>
}

/** The version that follows `version` of a record. */
export const nextVersion = ({ restored }: { readonly restored: Restored | undefined }, version: number): number =>
  Math.max(version, restored?.versionFloor ?? 0) + 1

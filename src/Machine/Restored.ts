/**
 * How a log began that continues the state of another one: after a restore of an archive, or a recovery of one
 * directory. Pure. Rows keep the versions that they had. No version and no index that the former log may have given
 * meanwhile is given again, so all begin above a floor. docs/backup.md.
 */

/** The beginning of such a log. */
export interface Restored {
  /** The next version of every record, of whatever model, is above it. The log begins behind the same index: its base. */
  readonly versionFloor: number
  /** The clusters whose place this one took, newest first. Their nodes are told to stop. */
  readonly formerClusterIds: ReadonlyArray<string>
  /** What the history holds below the base. Absent if a release before format 3 made the log: then it holds nothing. */
  readonly history?: FormerHistory
}

/**
 * The entries below the base, which are in the history and never in the log: `firstIndex` to `lastIndex`. No other index
 * up to the base is one of an entry. They are the whole history of the former log, if the restore had it. Otherwise they
 * end at the base and hold its first state: each record as created. docs/decisions/0026-what-a-restored-log-knows.md.
 */
export interface FormerHistory {
  readonly firstIndex: number
  readonly lastIndex: number
  /** Present if the history also holds what the archives held of the former log, for the history of records. */
  readonly archived?: Archived
}

/**
 * What archives that begin with a state held of the former log. Only the history of records reads it: a follower from the
 * beginning would need all entries, and takes the first state instead. docs/decisions/0040-history-from-archives.md.
 */
export interface Archived {
  /** The archives begin with the state after this entry of the former log. */
  readonly stateIndex: number
  /** They go on to this one: the entries after the state are here, under their own indexes. */
  readonly throughIndex: number
  /**
   * The entries `firstIndex` to `lastIndex` hold the records of that state (Cluster/ArchivedRecords.ts). Their indexes are
   * none of the former log's. There are none if the state had no records, or if the log did not retain them any more.
   */
  readonly firstIndex: number
  readonly lastIndex: number
}

/** The version that follows `version` of a record. */
export const nextVersion = ({ restored }: { readonly restored: Restored | undefined }, version: number): number =>
  Math.max(version, restored?.versionFloor ?? 0) + 1

/** The index of the first entry after `index`: the next one, but for the indexes that no entry has. */
export const entryAfter = (restored: Restored | undefined, index: number): number => {
  if (restored?.history === undefined) return index + 1
  const { history, versionFloor: base } = restored
  const next = Math.max(index + 1, history.firstIndex)
  return next > history.lastIndex && next <= base ? base + 1 : next
}

/** How many entries come after `index`, through `lastIndex`. */
export const entriesCount = (restored: Restored | undefined, index: number, lastIndex: number): number => {
  const first = entryAfter(restored, index)
  if (first > lastIndex) return 0
  const base = restored?.versionFloor ?? 0
  const { history } = restored ?? {}
  if (history === undefined || first > base) return lastIndex - first + 1
  return Math.min(lastIndex, history.lastIndex) - first + 1 + Math.max(0, lastIndex - base)
}

/** The parts of a range whose indexes are those of entries, archived ones too, ascending. */
export const entriesIn = (
  restored: Restored | undefined,
  { fromIndex, toIndex }: { readonly fromIndex: number; readonly toIndex: number }
): ReadonlyArray<{ readonly fromIndex: number; readonly toIndex: number }> => {
  const base = restored?.versionFloor ?? 0
  const { archived, firstIndex = 1, lastIndex = 0 } = restored?.history ?? {}
  return [
    ...(archived === undefined ? [] : archivedIn(archived)),
    { fromIndex: firstIndex, toIndex: lastIndex },
    { fromIndex: base + 1, toIndex }
  ]
    .map((part) => ({ fromIndex: Math.max(fromIndex, part.fromIndex), toIndex: Math.min(toIndex, part.toIndex) }))
    .filter((part) => part.fromIndex <= part.toIndex)
}

/** The ranges of what archives held, ascending. One that ends before it begins is empty. */
export const archivedIn = ({ firstIndex, lastIndex, stateIndex, throughIndex }: Archived) => [
  { fromIndex: stateIndex + 1, toIndex: throughIndex },
  { fromIndex: firstIndex, toIndex: lastIndex }
]

/** Whether all up to `index` names one place in the log: it is that of an entry, or comes right before one. */
export const isPlace = (restored: Restored | undefined, index: number): boolean =>
  restored?.history === undefined || index === 0 || index >= restored.versionFloor
    ? true
    : index >= restored.history.firstIndex - 1 && index <= restored.history.lastIndex

/** Whether the history below the base is that of the former log, event by event. */
export const isHistoryWhole = ({ history, versionFloor }: Restored): boolean =>
  history !== undefined && history.lastIndex < versionFloor

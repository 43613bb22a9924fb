/**
 * What the state hash counts: one text, or the hash itself, for each element of the state, with every field that `evolve` keeps. Pure.
 * It leaves out indexes, which follow from the rows, and local parts, which only a node's own log has.
 */
import type { Chain } from "./Chain.ts"
import { canonical } from "./Json.ts"
import type { Limits } from "./Limits.ts"
import type { Restored } from "./Restored.ts"
import type { Session } from "./Session.ts"
import * as StateHash from "./StateHash.ts"
import type { Row, Table, Tombstone } from "./Table.ts"

/**
 * The number of this definition. Hashes of two definitions say nothing about each other: raise it with every change of
 * what is counted, or how. Definition 1 left out `createdIndex`, `index` and `modelVersion`; 2 sorted a record's keys.
 */
export const definition = 3

/** A record, with its keys in the order of its event: every node has it from the log, and snapshots keep it. */
export const row = (model: string, id: string, { createdIndex, data, index, modelVersion, version }: Row): string =>
  `row ${JSON.stringify([model, id, version, modelVersion, createdIndex, index, data])}`

/** A deleted record. */
export const tombstone = (model: string, id: string, { index, sequence, version }: Tombstone): string =>
  `tombstone ${JSON.stringify([model, id, version, index, sequence])}`

/** The fields of a table besides its records. */
export const table = (
  model: string,
  { erasedIndex, isEnded, modelVersion, nextTombstoneSequence, versionFloor }: Table
): string => {
  const ended = isEnded ? ["ended"] : []
  const erased = erasedIndex > 0 ? ["erased", erasedIndex] : []
  return `table ${JSON.stringify([model, modelVersion, nextTombstoneSequence, versionFloor, ...ended, ...erased])}`
}

/** An erased record. */
export const erasure = (model: string, id: string, index: number): string =>
  `erasure ${JSON.stringify([model, id, index])}`

/** Whether a table counts. An untouched one does not, since another node may not know its model. */
export const isTableCounted = ({ erasedIndex, modelVersion, nextTombstoneSequence, versionFloor }: Table): boolean =>
  modelVersion > 0 || nextTombstoneSequence > 0 || versionFloor > 0 || erasedIndex > 0

/** An opaque key, by its name, or from format 3 on by its digest and bucket. */
export const session = (name: string, { bucket, command, fingerprint, index, logAgeMs, outcome }: Session): string =>
  `session ${JSON.stringify([name, fingerprint ?? null, index, logAgeMs, command, ...(bucket === undefined ? [] : [bucket])])} ${outcome === undefined ? "" : canonical(JSON.parse(outcome))}`

/** A dated key, before format 3. */
export const assignedKey = (name: string, index: number): string => `assigned ${index} ${name}`

/** The end of a generation of dated keys, before format 3. */
export const generation = (lastIndex: number): string => `generation ${lastIndex}`

/** The index up to which dated keys are forgotten, before format 3. */
export const horizon = (index: number): string => `horizon ${index}`

/** A dated key. */
export const datedKey = (bucket: number, digest: string, index: number): string => `dated ${bucket} ${index} ${digest}`

/** The end of a generation of dated keys of one bucket. */
export const datedGeneration = (bucket: number, lastIndex: number): string => `generation ${bucket} ${lastIndex}`

/** The index up to which dated keys of a bucket are forgotten. */
export const bucketHorizon = (bucket: number, index: number): string => `horizon ${bucket} ${index}`

/** The index up to which dated keys of all buckets are forgotten. */
export const horizonFloor = (index: number): string => `horizon of all ${index}`

/** The limits in force. */
export const limits = (limits: Limits): string => `limits ${canonical({ ...limits })}`

/** The active format. Format 1 does not count, since a release without formats would not count it. */
export const format = (format: number): string | undefined => (format === 1 ? undefined : `format ${format}`)

/** The first entry of the history that nodes retain. All of it does not count. */
export const retained = (fromIndex: number): string => `retained ${fromIndex}`

/** How a restore began the log. */
export const restored = ({ formerClusterIds, history, versionFloor }: Restored): string => {
  const kept = history === undefined ? [] : [history.firstIndex, history.lastIndex]
  const { archived } = history ?? {}
  if (archived !== undefined) {
    kept.push(archived.stateIndex, archived.throughIndex, archived.firstIndex, archived.lastIndex)
  }
  return `restored ${JSON.stringify([versionFloor, formerClusterIds, ...kept])}`
}

/** The chain of digests. A log without one does not count it. */
export const chain = ({ beganIndex, digest, index }: Chain): string => `chain ${beganIndex} ${index} ${digest}`

/** The last entry, its time stamp and the age of the log at it. */
export const last = ({
  index,
  lastTimeMs,
  logAgeMs
}: {
  readonly index: number
  readonly lastTimeMs: number
  readonly logAgeMs: number
}): StateHash.StateHash => StateHash.ofNumbers(index, lastTimeMs, logAgeMs)

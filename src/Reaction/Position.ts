/**
 * The position of a reaction, as a record of an internal model: it has no path and no API, but the cluster decides,
 * replicates, hashes and snapshots it like any other record.
 */
import { Result, Schema } from "effect"
import { get, type Tables } from "../Machine/Tables.ts"
import { Class, describe } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"

/** All entries through `index` are done, and the first `count` events of the next one. */
export interface Position {
  readonly index: number
  readonly count: number
}

class ReactionPosition extends Class<ReactionPosition>("lithair/ReactionPosition")(
  { id: bareId(Schema.String), index: Schema.Int, count: Schema.Int },
  { mode: "replicate", path: "reaction-positions" }
) {}

/** The internal model. A node with reactions gives it to its member beside its own models. */
export const descriptor = describe(ReactionPosition)

/** A position and the version of its record, which is 0 before the first. */
export interface Recorded {
  readonly position: Position | undefined
  readonly version: number
}

/** Reads the position of a reaction from the tables. */
export const recordedIn = (tables: Tables, name: string): Recorded => {
  const row = get(tables, descriptor.name, name)
  if (row === undefined) return { position: undefined, version: 0 }
  const { count, index } = Result.getOrThrow(descriptor.read.record(row)).shown
  return { position: { index: Number(index), count: Number(count) }, version: row.version }
}

/** Makes the change that records a position, on condition that no node has recorded another meanwhile. */
export const recording = (name: string, { index, count }: Position, { version }: Recorded) =>
  ({
    _tag: "Put",
    model: descriptor.name,
    id: name,
    data: { index, count },
    ...(version === 0 ? { ifNoneMatch: true } : { ifMatch: [version] })
  }) as const

/** The later of two positions. */
export const later = (left: Position, right: Position): Position =>
  left.index > right.index || (left.index === right.index && left.count > right.count) ? left : right

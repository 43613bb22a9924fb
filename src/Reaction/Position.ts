/**
 * How far a reaction is, as all nodes know it: a record of a model of its own, which has no path and is served nowhere,
 * but is decided, replicated, hashed and kept in snapshots like any other.
 */
import { Schema } from "effect"
import { get, type Tables } from "../Machine/Tables.ts"
import { Class, describe } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"

/** All entries through `index` are done, and of the next one the first `count` events. */
export interface Position {
  readonly index: number
  readonly count: number
}

class ReactionPosition extends Class<ReactionPosition>("lithair/ReactionPosition")(
  { id: bareId(Schema.String), index: Schema.Int, count: Schema.Int },
  { mode: "replicate", path: "reaction-positions" }
) {}

/** For the member of a node that has reactions, beside its models. */
export const descriptor = describe(ReactionPosition)

/** A position, and the version of its record: 0 before there is one. */
export interface Recorded {
  readonly position: Position | undefined
  readonly version: number
}

/** What the tables know of a reaction. */
export const recordedIn = (tables: Tables, name: string): Recorded => {
  const row = get(tables, descriptor.name, name)
  if (row === undefined) return { position: undefined, version: 0 }
  const { count, index } = row.data
  return { position: { index: Number(index), count: Number(count) }, version: row.version }
}

/** The change that records a position, if nobody has recorded another since. */
export const recording = (name: string, { index, count }: Position, { version }: Recorded) =>
  ({
    _tag: "Put",
    model: descriptor.name,
    id: name,
    data: { index, count },
    ...(version === 0 ? { ifNoneMatch: true } : { ifMatch: [version] })
  }) as const

/** Whichever is further on. */
export const later = (left: Position, right: Position): Position =>
  left.index > right.index || (left.index === right.index && left.count > right.count) ? left : right

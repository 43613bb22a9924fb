/**
 * The progress of a follower that the leader runs, a reaction or a projection into SQL, as a record of an internal model:
 * it has no path and no API, but the cluster decides, replicates, hashes and snapshots it like any other record.
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

/** The name of an event: the index of its entry, and its position among all events there. */
export interface EventAt {
  readonly index: number
  readonly ordinal: number
}

const failed = {
  index: Schema.Int,
  ordinal: Schema.Int,
  /** When its effect failed first, by the wall clock of the leader then. */
  sinceMs: Schema.Int,
  failure: Schema.String
}

const Stumbled = Schema.Struct({ ...failed, retriesCount: Schema.Int })
/** The event that the reaction tries again and again. `retriesCount` counts the operators' requests to try it at once. */
export type Stumbled = typeof Stumbled.Type

const Parked = Schema.Struct({ ...failed, isDue: Schema.Boolean })
/** An event that an operator has put aside. It runs once more when it `isDue`. */
export type Parked = typeof Parked.Type

class ReactionPosition extends Class<ReactionPosition>("lithair/ReactionPosition")(
  {
    id: bareId(Schema.String),
    index: Schema.Int,
    count: Schema.Int,
    stumbled: Schema.optionalKey(Stumbled),
    parked: Schema.optionalKey(Schema.Array(Parked))
  },
  { mode: "replicate", path: "reaction-positions" }
) {}

/** The internal model. A node with reactions gives it to its member beside its own models. */
export const descriptor = describe(ReactionPosition)

/** A reaction's record, and its version, which is 0 before the first. */
export interface Recorded {
  readonly position: Position | undefined
  readonly stumbled: Stumbled | undefined
  readonly parked: ReadonlyArray<Parked>
  readonly version: number
}

const unrecorded: Recorded = { position: undefined, stumbled: undefined, parked: [], version: 0 }

/** The version of a reaction's record; 0 if there is none. */
export const versionIn = (tables: Tables, name: string): number => get(tables, descriptor.name, name)?.version ?? 0

/** Reads the record of a reaction from the tables. */
export const recordedIn = (tables: Tables, name: string): Recorded => {
  const row = get(tables, descriptor.name, name)
  if (row === undefined) return unrecorded
  // This code wrote the record, so it has the shape.
  const shown = Result.getOrThrow(descriptor.read.record(row)).shown as unknown as ReactionPosition
  const { count, index, parked = [], stumbled } = shown
  return { position: { index, count }, stumbled, parked, version: row.version }
}

/** Makes the change that records a position, on condition that no node has recorded anything since `version`. */
export const recording = (name: string, { index, count }: Position, { parked, stumbled, version }: Recorded) =>
  ({
    _tag: "Put",
    model: descriptor.name,
    id: name,
    data: {
      index,
      count,
      ...(stumbled === undefined ? {} : { stumbled }),
      ...(parked.length === 0 ? {} : { parked })
    },
    ...(version === 0 ? { ifNoneMatch: true } : { ifMatch: [version] })
  }) as const

/** The position behind an event. */
export const behind = ({ index, ordinal }: EventAt): Position => ({ index: index - 1, count: ordinal + 1 })

/** Whether an event comes after a position. */
export const isAfter = ({ index, ordinal }: EventAt, { count, index: done }: Position): boolean =>
  index > done + 1 || (index === done + 1 && ordinal >= count)

/** Whether two names are those of one event. */
export const isSameEvent = (left: EventAt, right: EventAt): boolean =>
  left.index === right.index && left.ordinal === right.ordinal

/** The later of two positions. */
export const later = (left: Position, right: Position): Position =>
  left.index > right.index || (left.index === right.index && left.count > right.count) ? left : right

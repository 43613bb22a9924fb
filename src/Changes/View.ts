/**
 * What a follower may be told: of each model, the records that its caller may read and the fields that it sees. Pure.
 * Positions carry the view by a short name, since a follower who comes back with another view has another picture.
 */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { type Folded, namesOf } from "../Access/fold.ts"
import { type Fields, maskedFor, unseenBy, without } from "../Machine/Seen.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { type AccessDenied, isReadable, type Judging, readReach } from "../Repository/Reading.ts"
import type { Position } from "./Position.ts"

/** What a follower may be told of one model. */
export interface ModelView {
  readonly descriptor: Descriptor
  /** Undefined for all records. */
  readonly reach: Folded | undefined
  readonly unseen: Fields
}

/** What a follower may be told. */
export interface View {
  readonly models: ReadonlyMap<string, ModelView>
  /** Names the view in positions; undefined if it shows every record, and no field is masked. */
  readonly name: string | undefined
  /** Whether some records of a model are not shown. */
  readonly isRestricted: boolean
}

/** The view of a caller, as the tables are now. Fails if the caller may read no record of a model. */
export const viewOf = (
  now: Judging,
  caller: Caller,
  models: ReadonlyArray<Descriptor>
): Result.Result<View, AccessDenied> =>
  Result.map(
    Result.all(
      models.map((descriptor) =>
        Result.map(
          readReach(now, caller, descriptor),
          (reach): ModelView => ({ descriptor, reach, unseen: unseenBy(now.policy, caller, descriptor) })
        )
      )
    ),
    (views) => {
      const isRestricted = views.some(({ reach }) => reach !== undefined)
      const isMasked = (masked: Readonly<Record<string, Fields>> = {}) => maskedFor(caller, masked).length > 0
      const isNamed =
        isRestricted || (now.policy !== undefined && models.some(({ guarded }) => isMasked(guarded?.masked)))
      return {
        models: new Map(views.map((view) => [view.descriptor.name, view])),
        name: isNamed ? nameOf(views) : undefined,
        isRestricted
      }
    }
  )

/**
 * Whether a reader with this view may go on at a position: another view has another picture. Nobody has anything before
 * the first entry, whatever it may read.
 */
export const continues = ({ name }: View, position: Position): boolean =>
  position.view === name || isBeginning(position)

const isBeginning = ({ index, ordinal, shown, view }: Position): boolean =>
  index === 0 && ordinal === undefined && shown === undefined && view === undefined

/** Whether a view shows a record. */
export const shows = (
  { models }: View,
  of: { readonly model: string; readonly id: string; readonly record: EncodedRecord }
): boolean => {
  const view = models.get(of.model)
  return view !== undefined && isReadable(view.reach, view.descriptor, of)
}

/** The record as the view shows it. */
export const seen = ({ models }: View, model: string, record: EncodedRecord): EncodedRecord =>
  without(models.get(model)?.unseen ?? [], record)

/** Two views of the same records and fields have one name. */
const nameOf = (views: ReadonlyArray<ModelView>): string => {
  const text = JSON.stringify(
    views
      .map(({ descriptor, reach, unseen }) =>
        JSON.stringify([descriptor.name, reach === undefined ? null : namesOf(reach), unseen.toSorted()])
      )
      .sort()
  )
  return `${hash(text, 0x811c9dc5)}${hash(text, 0x01000193)}`
}

/** FNV-1a, from another beginning for each half of a name. */
const hash = (text: string, beginning: number): string => {
  let hash = beginning
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  return hash.toString(36).padStart(7, "0")
}

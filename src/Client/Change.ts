/** The changes of a transaction: the cluster makes all of them or none. docs/http.md, "Transactions". Pure. */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { describe, type IdOf } from "../Model/Class.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"
import { codecsOf, type RowClass } from "../Model/RowCodecs.ts"
import { Problem, within } from "../Problem.ts"
import type { WriteFailure } from "./Failure.ts"
import { expectedVersion } from "./Id.ts"
import type { ChangeOptions, Versioned } from "./ModelRepository.ts"

/** One change of a transaction. {@link create}, {@link put}, {@link patch} and {@link remove} make it. */
export interface Change<out M extends RowClass> {
  readonly model: M
  readonly op: "create" | "put" | "patch" | "delete"
  readonly id?: string
  readonly ifVersion?: number
  /** The encoded record, or the fields that do not fit. */
  readonly data?: Result.Result<EncodedRecord, ReadonlyArray<FieldError>>
}

/** Refuses the whole transaction unless the record is at this version. */
export interface IfVersion {
  readonly ifVersion?: number
}

/** Creates a record. The cluster generates an id if the record has none. */
export const create = <M extends RowClass>(model: M, row: M["create"]["Type"]): Change<M> => ({
  model,
  op: "create",
  data: codecsOf(model).encodeNew(row)
})

/** Replaces or creates the whole record. */
export const put = <M extends RowClass>(
  model: M,
  id: IdOf<M>,
  row: M["put"]["Type"],
  condition: IfVersion = {}
): Change<M> => ({ model, op: "put", id, data: codecsOf(model).encodeWhole(row), ...condition })

/** Applies a merge patch (RFC 7396). */
export const patch = <M extends RowClass>(
  model: M,
  id: IdOf<M>,
  patch: M["patch"]["Type"],
  condition: IfVersion = {}
): Change<M> => ({ model, op: "patch", id, data: codecsOf(model).encodePatch(patch), ...condition })

/** Deletes a record. */
export const remove = <M extends RowClass>(model: M, id: IdOf<M>, condition: IfVersion = {}): Change<M> => ({
  model,
  op: "delete",
  id,
  ...condition
})

/** The result of one change. `row` is undefined if the record was deleted. */
export interface Done<M extends RowClass> extends Omit<Versioned<M>, "row"> {
  readonly id: IdOf<M>
  readonly row: M["Type"] | undefined
}

/** The results of all changes, in order. */
export type DoneAll<Changes extends ReadonlyArray<Change<RowClass>>> = {
  readonly [At in keyof Changes]: Done<Changes[At]["model"]>
}

/** Makes all changes as one entry, or none: 1 to 1,000. */
export type Transact = <const Changes extends ReadonlyArray<Change<RowClass>>>(
  changes: Changes,
  options?: ChangeOptions
) => Effect.Effect<DoneAll<Changes>, WriteFailure>

/** A change with a record that fits its model. */
export interface EncodedChange extends Omit<Change<RowClass>, "data"> {
  readonly descriptor: Descriptor
  readonly data?: EncodedRecord
}

type Misfit = ReadonlyArray<FieldError>

/** Encodes changes. The paths of errors give their places in the body of a transaction. */
export const encodedChanges = (
  changes: ReadonlyArray<Change<RowClass>>
): Result.Result<ReadonlyArray<EncodedChange>, Misfit> =>
  changes.length === 0
    ? Result.fail([{ path: "ops", message: "Expected at least one operation" }])
    : Result.all(
        changes.map((change, position) =>
          Result.mapError(encoded(change), (errors) => placed(`ops.${position}`, errors))
        )
      )

const encoded = ({ data, ...change }: Change<RowClass>): Result.Result<EncodedChange, Misfit> => {
  const descriptor = describe(change.model)
  const { id } = change
  if (id !== undefined && !descriptor.ids.isId(id)) {
    return Result.fail([{ path: "id", message: `Expected an id of ${descriptor.name}` }])
  }
  return Result.flatMap(expectedVersion(change), () =>
    data === undefined
      ? Result.succeed({ ...change, descriptor })
      : Result.mapBoth(data, {
          onSuccess: (record) => ({ ...change, descriptor, data: record }),
          onFailure: (errors) => placed("data", errors)
        })
  )
}

/** Encodes new records. The paths of errors begin with the position of the record. */
export const encodedAll = <M extends RowClass>(
  model: M,
  rows: ReadonlyArray<M["create"]["Type"]>
): Result.Result<ReadonlyArray<EncodedChange>, Misfit> => {
  const { descriptor, encodeNew } = codecsOf(model)
  return rows.length === 0
    ? Result.fail([{ path: "", message: "Expected at least one record" }])
    : Result.all(
        rows.map((row, position) =>
          Result.mapBoth(encodeNew(row), {
            onSuccess: (data): EncodedChange => ({ model, descriptor, op: "create", data }),
            onFailure: (errors) => placed(String(position), errors)
          })
        )
      )
}

/** Shows the failing operation of a transaction as a place in an array of records. */
export const inArray = <E>(failure: E): E | Problem => {
  if (!(failure instanceof Problem)) return failure
  const { opIndex, ...members } = failure.members
  if (typeof opIndex !== "number") return failure
  const { detail, headers, kind, status, title } = failure
  return within(new Problem({ detail, headers, kind, members, status, title }), String(opIndex))
}

/** Moves errors to one place of a request. */
const placed = (place: string, errors: Misfit): Misfit =>
  errors.map(({ message, path }) => ({ path: path === "" ? place : `${place}.${path}`, message }))

/** Says on the results of mixed records that the node lost their local fields. A node writes those of one request together. */
export const withLost = <A extends object>(
  isLost: boolean,
  { mode }: Descriptor,
  done: A
): A & { isLocalPartLost?: true } => (isLost && mode === "mixed" ? { ...done, isLocalPartLost: true } : done)

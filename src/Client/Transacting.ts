/** Typed transactions: the cluster makes all changes or none. docs/http.md, "Transactions". */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { transactionPath } from "../Http/Paths.ts"
import { TransactionAnswer } from "../Http/TransactionAnswer.ts"
import { describe } from "../Model/Class.ts"
import type { EncodedRecord, FieldError } from "../Model/Descriptor.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import { codecsOf } from "../Model/RowCodecs.ts"
import type { ChangeOptions } from "../Repository/ModelRepository.ts"
import { decoded, misfit, Unreadable } from "./Failure.ts"
import type { WriteFailure } from "./Records.ts"
import type { Sending } from "./Sending.ts"

/** One change of a transaction. {@link create}, {@link put}, {@link patch} and {@link remove} make it. */
export interface Operation<out M extends RowClass> {
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
export const create = <M extends RowClass>(model: M, row: M["create"]["Type"]): Operation<M> => ({
  model,
  op: "create",
  data: codecsOf(model).encodeNew(row)
})

/** Replaces or creates the whole record. */
export const put = <M extends RowClass>(
  model: M,
  id: string,
  row: M["put"]["Type"],
  condition: IfVersion = {}
): Operation<M> => ({ model, op: "put", id, data: codecsOf(model).encodeWhole(row), ...condition })

/** Applies a merge patch (RFC 7396). */
export const patch = <M extends RowClass>(
  model: M,
  id: string,
  patch: M["patch"]["Type"],
  condition: IfVersion = {}
): Operation<M> => ({ model, op: "patch", id, data: codecsOf(model).encodePatch(patch), ...condition })

/** Deletes a record. */
export const remove = <M extends RowClass>(model: M, id: string, condition: IfVersion = {}): Operation<M> => ({
  model,
  op: "delete",
  id,
  ...condition
})

/** The result of one change. `row` is undefined if the record was deleted. */
export interface Done<M extends RowClass> {
  readonly id: string
  readonly version: number
  readonly row: M["Type"] | undefined
}

/** The results of all changes, in order. */
export type DoneAll<Operations extends ReadonlyArray<Operation<RowClass>>> = {
  readonly [At in keyof Operations]: Done<Operations[At]["model"]>
}

/** Makes all changes as one entry, or none. */
export type Transact = <const Operations extends ReadonlyArray<Operation<RowClass>>>(
  operations: Operations,
  options?: ChangeOptions
) => Effect.Effect<DoneAll<Operations>, WriteFailure>

const decodeAnswer = Schema.decodeUnknownResult(TransactionAnswer)

/** Makes transactions by requests to the cluster. */
export const make = (sending: Sending): Transact => {
  const transact = Effect.fnUntraced(function* (
    operations: ReadonlyArray<Operation<RowClass>>,
    { key }: ChangeOptions = {}
  ) {
    const ops = yield* misfit(Result.all(operations.map(encodedAt)))
    const isOfOneNode = operations.every(({ model }) => describe(model).mode === "local")
    const { body } = yield* sending.change({ method: "POST", path: transactionPath, body: { ops }, isOfOneNode }, key)
    const { results } = yield* decoded(decodeAnswer(body))
    if (results.length !== operations.length) {
      return yield* new Unreadable({
        message: `The answer to ${operations.length} changes has ${results.length} results`
      })
    }
    return yield* decoded(
      Result.all(
        results.map(({ id, record, version }, position): Result.Result<Done<RowClass>, Schema.SchemaError> => {
          const row =
            record === undefined ? Result.succeed(undefined) : codecsOf(operations[position]!.model).decode(record)
          return Result.map(row, (decodedRow) => ({ id, version, row: decodedRow }))
        })
      )
    )
  })
  return transact as unknown as Transact
}

/** Writes an operation for the body. The paths of errors give its place there. */
const encodedAt = ({ data, model, ...operation }: Operation<RowClass>, position: number) => {
  const named = { ...operation, model: describe(model).name }
  if (data === undefined) return Result.succeed(named)
  const place = (path: string) => `ops.${position}.data${path === "" ? "" : `.${path}`}`
  return Result.mapBoth(data, {
    onSuccess: (encoded) => ({ ...named, data: encoded }),
    onFailure: (errors) => errors.map(({ message, path }): FieldError => ({ message, path: place(path) }))
  })
}

/** The rows of a model as a program has them, and as JSON, which tables and logs hold. */
import { Data, Effect, Result, Schema } from "effect"
import { errorsOf, type FieldError } from "../Model/Descriptor.ts"
import { type Described, describe, type EncodedRecord } from "../Model.ts"
import { Refused } from "./Changed.ts"

/** The class that `Model.Class` made, of whatever mode. */
export type RowClass = Described &
  Schema.Codec<object, unknown> & {
    readonly create: Schema.Codec<object, unknown>
    readonly put: Schema.Codec<object, unknown>
    readonly patch: Schema.Codec<object, unknown>
  }

/** What a program asked with does not fit the model. */
export class InvalidValue extends Data.TaggedError("InvalidValue")<{ readonly errors: ReadonlyArray<FieldError> }> {
  override get message(): string {
    return this.errors.map(({ message, path }) => `${path}: ${message}`).join("; ")
  }
}

/** Refused as the machine would refuse it. */
type EncodeRow = (row: unknown) => Effect.Effect<EncodedRecord, Refused>

export interface RowCodecs<M extends RowClass> {
  /** What does not decode was written by a version of the model that is not to be mixed with this one: a defect. */
  readonly decode: (record: EncodedRecord) => Effect.Effect<M["Type"]>
  readonly encodeNew: EncodeRow
  readonly encodeWhole: EncodeRow
  readonly encodePatch: EncodeRow
  /** A value of one field. */
  readonly encodeField: (field: string, value: unknown) => Effect.Effect<Schema.Json, InvalidValue>
}

export const make = <M extends RowClass>(model: M): RowCodecs<M> => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(model))
  const fields = new Map(Object.entries(describe(model).fields).map(([name, schema]) => [name, encoder(schema)]))
  return {
    decode: (record) => Effect.orDie(decode(record)),
    encodeNew: rowEncoder(model.create),
    encodeWhole: rowEncoder(model.put),
    encodePatch: rowEncoder(model.patch),
    encodeField: (field, value) => {
      const encoded =
        fields.get(field)?.(value) ?? Result.fail([{ path: "", message: "Expected a field of the model" }])
      return Result.isSuccess(encoded)
        ? Effect.succeed(encoded.success)
        : new InvalidValue({ errors: encoded.failure.map((error) => ({ ...error, path: field })) })
    }
  }
}

const encoder = (schema: Schema.Codec<unknown, unknown>) => {
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(schema), { errors: "all" })
  return (value: unknown) => Result.mapError(encode(value), ({ issue }) => errorsOf(issue))
}

const rowEncoder = (schema: Schema.Codec<object, unknown>): EncodeRow => {
  const encode = encoder(schema)
  return (row) => {
    const encoded = encode(row)
    return Result.isSuccess(encoded)
      ? Effect.succeed(encoded.success as EncodedRecord)
      : new Refused({ rejection: { _tag: "InvalidRequest", errors: encoded.failure } })
  }
}

/** The rows of a model as a program has them, decoded, and as JSON, which tables, logs and the wire carry. */
import { Result, Schema } from "effect"
import { type Described, describe } from "./Class.ts"
import { type Descriptor, type EncodedRecord, errorsOf, type FieldError } from "./Descriptor.ts"
import { jsonEncoder } from "./JsonEncoder.ts"

/** The class that `Model.Class` made, of whatever mode. */
export type RowClass = Described &
  Schema.Codec<object, unknown> & {
    readonly [V in "replicated" | "create" | "put" | "patch"]: Schema.Codec<object, unknown>
  }

/** To JSON, or what of the value does not fit. */
export type Encode<Encoded> = (value: unknown) => Result.Result<Encoded, ReadonlyArray<FieldError>>

/** The codecs of one model. */
export interface RowCodecs<M extends RowClass> {
  readonly descriptor: Descriptor
  /** The row of a record, an instance of the class. */
  readonly decode: (record: unknown) => Result.Result<M["Type"], Schema.SchemaError>
  readonly encodeNew: Encode<EncodedRecord>
  readonly encodeWhole: Encode<EncodedRecord>
  /** A whole record as the cluster keeps it: without local fields. */
  readonly encodeReplicated: Encode<EncodedRecord>
  readonly encodePatch: Encode<EncodedRecord>
  /** A value of one field. */
  readonly encodeField: (field: string, value: unknown) => Result.Result<Schema.Json, ReadonlyArray<FieldError>>
}

/** A schema compiles: once for each model. */
const known = new WeakMap<RowClass, RowCodecs<RowClass>>()

/** The codecs of a model. */
export const codecsOf = <M extends RowClass>(model: M): RowCodecs<M> => {
  const found = known.get(model) ?? make(model)
  known.set(model, found)
  return found as RowCodecs<M>
}

const make = (model: RowClass): RowCodecs<RowClass> => {
  const descriptor = describe(model)
  const fields = new Map(Object.entries(descriptor.fields).map(([name, schema]) => [name, encoder(schema)]))
  return {
    descriptor,
    decode: Schema.decodeUnknownResult(Schema.toCodecJson(model)),
    encodeNew: rowEncoder(model.create),
    encodeWhole: rowEncoder(model.put),
    encodeReplicated: rowEncoder(model.replicated),
    encodePatch: rowEncoder(model.patch),
    encodeField: (field, value) =>
      Result.mapError(fields.get(field)?.(value) ?? noField, (errors) =>
        errors.map(({ message }) => ({ path: field, message }))
      )
  }
}

const noField: ReturnType<Encode<Schema.Json>> = Result.fail([{ path: "", message: "Expected a field of the model" }])

const encoder = (schema: Schema.Codec<unknown, unknown>): Encode<Schema.Json> => {
  const encode = jsonEncoder(schema)
  return (value) => Result.mapError(encode(value), ({ issue }) => errorsOf(issue))
}

/** A record's schema encodes to an object. */
const rowEncoder = (schema: Schema.Codec<object, unknown>) => encoder(schema) as Encode<EncodedRecord>

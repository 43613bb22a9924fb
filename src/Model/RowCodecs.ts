/** Converts a model's rows between the decoded form in a program and the JSON in tables, logs and on the wire. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Described, describe } from "./Class.ts"
import type { Descriptor } from "./Descriptor.ts"
import type { EncodedRecord } from "./EncodedRecord.ts"
import type { FieldError } from "./FieldError.ts"
import { type FieldValues, fieldsOf } from "./FieldValues.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { type Encode, jsonEncoder } from "./JsonEncoder.ts"
import { shapeOf, withNulls } from "./MergePatch.ts"
import { copyOf } from "./PlainJson.ts"
import { notParsed, quickParser } from "./QuickParser.ts"

/** Any class that `Model.Class` made, of any mode. */
export type RowClass = Described &
  Schema.Codec<object, unknown> & {
    readonly [V in "replicated" | "create" | "put" | "patch"]: Schema.Codec<object, unknown>
  }

/** The codecs of one model. */
export interface RowCodecs<M extends RowClass> {
  readonly descriptor: Descriptor
  /** Decodes a record into a row, an instance of the class. Changing the row changes no record. */
  readonly decode: (record: unknown) => Result.Result<M["Type"], Schema.SchemaError>
  readonly encodeNew: Encode<EncodedRecord>
  readonly encodeWhole: Encode<EncodedRecord>
  /** Encodes a whole record as the cluster keeps it, without local fields. */
  readonly encodeReplicated: Encode<EncodedRecord>
  readonly encodePatch: Encode<EncodedRecord>
  readonly fields: ReadonlyMap<string, FieldValues>
  /** Encodes a value of one field. Null stands for an absent one. */
  readonly encodeField: (field: string, value: unknown) => Result.Result<Schema.Json, ReadonlyArray<FieldError>>
}

/** Compiling a schema is slow, so each model is compiled once. */
const known = new WeakMap<RowClass, RowCodecs<RowClass>>()

/** The codecs of a model. */
export const codecsOf = <M extends RowClass>(model: M): RowCodecs<M> => {
  const found = known.get(model) ?? make(model)
  known.set(model, found)
  return found as RowCodecs<M>
}

const make = (model: RowClass): RowCodecs<RowClass> => {
  const descriptor = describe(model)
  const fields = fieldsOf(descriptor.fields)
  const codec = Schema.toCodecJson(model)
  const quick = quickParser(() => codec.ast)
  const decode = Schema.decodeUnknownResult(codec)
  return {
    descriptor,
    decode: (record) => {
      const copy = copyOf(record as Schema.Json)
      const row = quick(copy)
      return row === notParsed ? decode(copy) : Result.succeed(row as object)
    },
    encodeNew: rowEncoder(model.create),
    encodeWhole: rowEncoder(model.put),
    encodeReplicated: rowEncoder(model.replicated),
    encodePatch: patchEncoder(model),
    fields,
    encodeField: (field, value) => {
      const known = fields.get(field)
      if (known !== undefined && value === null) return absent
      return Result.mapError(known?.encode(value) ?? noField, (errors) =>
        errors.map(({ message }) => ({ path: field, message }))
      )
    }
  }
}

/** An instance of a class, or a value of a union, replaces the former value as a whole. */
const patchEncoder = (model: RowClass): Encode<EncodedRecord> => {
  const encode = rowEncoder(model.patch)
  const shape = shapeOf(jsonCodec(model.put).ast)
  const ofFields = shape === undefined ? undefined : { ...shape, isWhole: false }
  return (patch) => Result.map(encode(patch), (json) => withNulls(json, ofFields) as EncodedRecord)
}

const absent: ReturnType<Encode<Schema.Json>> = Result.succeed(null)

const noField: ReturnType<Encode<Schema.Json>> = Result.fail([{ path: "", message: "Expected a field of the model" }])

/** A record's schema encodes to an object. A field that the model does not have is an error, as it is over HTTP. */
const rowEncoder = (schema: Schema.Codec<object, unknown>) =>
  jsonEncoder(schema, { onExcessProperty: "error" }) as Encode<EncodedRecord>

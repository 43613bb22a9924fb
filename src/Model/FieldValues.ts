/** The values of one field, as lists need them: their JSON, and which comparisons make sense. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { FieldSchema } from "./Descriptor.ts"
import { errorsOf, type FieldError } from "./FieldError.ts"
import { type FieldOrder, type JsonKinds, jsonKindsOf, orderOf } from "./FieldOrder.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { jsonEncoder } from "./JsonEncoder.ts"

/** One field of a model. */
export interface FieldValues extends JsonKinds {
  readonly name: string
  /** Undefined if no value is more or less than another. */
  readonly order: FieldOrder | undefined
  /** Encodes a program's value as JSON. */
  readonly encode: (value: unknown) => Result.Result<Schema.Json, ReadonlyArray<FieldError>>
  /** Brings JSON from outside into its one form, or returns what is wrong with it. */
  readonly normal: (json: unknown) => Result.Result<Schema.Json, string>
}

/** Reads a field's schema. This compiles it, so it is done once for each model. */
export const fieldValues = (name: string, schema: FieldSchema): FieldValues => {
  const codec = jsonCodec(schema)
  const decode = Schema.decodeUnknownResult(codec)
  const encode = jsonEncoder(schema)
  const messageOf = (errors: ReadonlyArray<FieldError>) => errors.map(({ message }) => message).join("; ")
  return {
    name,
    order: orderOf(codec.ast),
    ...jsonKindsOf(codec.ast),
    encode,
    normal: (json) => {
      const decoded = decode(json)
      if (Result.isFailure(decoded)) return Result.fail(messageOf(errorsOf(decoded.failure.issue)))
      return Result.mapError(encode(decoded.success), messageOf)
    }
  }
}

/** By name. A Map, so that `constructor` or `__proto__` in a query finds no field. */
export const fieldsOf = (fields: Readonly<Record<string, FieldSchema>>): ReadonlyMap<string, FieldValues> =>
  new Map(Object.entries(fields).map(([name, schema]) => [name, fieldValues(name, schema)]))

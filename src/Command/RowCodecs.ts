/** Rows of a model as a handler has them, decoded, and as the machine has them: the replicated fields as JSON. */
import { type Result, Schema } from "effect"
import { type Descriptor, describe, type EncodedRecord } from "../Model.ts"
import { jsonEncoder } from "./JsonEncoder.ts"
import type { ModelClass } from "./Transaction.ts"

/** Of one model. */
export interface Codecs {
  readonly descriptor: Descriptor
  readonly row: (data: unknown) => Result.Result<unknown, Schema.SchemaError>
  readonly create: Encode
  readonly put: Encode
  readonly patch: Encode
}

/** To JSON, or what of the value does not fit. */
export type Encode = (value: unknown) => Result.Result<EncodedRecord, Schema.SchemaError>

/** Made once for each model: a schema compiles. */
export type KnownCodecs = Map<ModelClass, Codecs>

/** A record's schema encodes to an object. */
const encoder = (schema: Schema.Codec<object, unknown>): Encode => jsonEncoder(schema) as Encode

/** The codecs of a model, from those that are known already. */
export const codecsOf = (known: KnownCodecs, model: ModelClass): Codecs => {
  const found = known.get(model)
  if (found !== undefined) return found
  const made: Codecs = {
    descriptor: describe(model),
    row: Schema.decodeUnknownResult(Schema.toCodecJson(model)),
    create: encoder(model.create),
    put: encoder(model.replicated),
    patch: encoder(model.patch)
  }
  known.set(model, made)
  return made
}

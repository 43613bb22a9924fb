/** Values as JSON, and nothing else: the rows and payloads that a program writes, and what a command gives. */
import { Result, Schema } from "effect"

const json = Schema.encodeUnknownResult(Schema.toCodecJson(Schema.Unknown), { errors: "all" })

/**
 * `Schema.Any` lets through what is no JSON. The log would hold something else than the leader decided on, or nothing
 * could write it at all, and each leader in turn would stop at it.
 */
export const jsonEncoder = (schema: Schema.Codec<unknown, unknown>) => {
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(schema), { errors: "all" })
  return (value: unknown): Result.Result<Schema.Json, Schema.SchemaError> =>
    Result.flatMap(encode(value), (encoded) => json(encoded) as Result.Result<Schema.Json, Schema.SchemaError>)
}

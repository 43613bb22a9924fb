/** Values as JSON by their schemas, and nothing else: the rows and payloads that a program writes, and what a command gives. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { errorsOf, type FieldError } from "./Descriptor.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { plainJson } from "./PlainJson.ts"

/** To JSON that nobody else holds, or what of the value does not fit. */
export type Encode<Encoded> = (value: unknown) => Result.Result<Encoded, ReadonlyArray<FieldError>>

/** `Schema.Any` and its like let through what is no JSON, and what the program holds on to. */
export const jsonEncoder = (schema: Schema.Codec<unknown, unknown>): Encode<Schema.Json> => {
  const encode = Schema.encodeUnknownResult(jsonCodec(schema), { errors: "all" })
  return (value) =>
    Result.flatMap(
      Result.mapError(encode(value), ({ issue }) => errorsOf(issue)),
      plainJson
    )
}

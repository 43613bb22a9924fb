/**
 * Encodes values as JSON by their schemas: the rows and payloads that a program writes, and the results of commands.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { errorsOf, type FieldError } from "./FieldError.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { plainJson } from "./PlainJson.ts"
import { notParsed, quickParser } from "./QuickParser.ts"

/** Returns JSON that no other code holds, or the errors of the value. */
export type Encode<Encoded> = (value: unknown) => Result.Result<Encoded, ReadonlyArray<FieldError>>

/** `Schema.Any` and its like let through values that are not JSON, or that the program still holds. */
export const jsonEncoder = (
  schema: Schema.Codec<unknown, unknown>,
  options: Pick<SchemaAST.ParseOptions, "onExcessProperty"> = {}
): Encode<Schema.Json> => {
  const codec = jsonCodec(schema)
  const quick = quickParser(() => Schema.flip(codec).ast, { refusesExcess: options.onExcessProperty !== undefined })
  const encode = Schema.encodeUnknownResult(codec, { errors: "all", ...options })
  return (value) => {
    const encoded = quick(value)
    if (encoded !== notParsed) return plainJson(encoded)
    return Result.flatMap(
      Result.mapError(encode(value), ({ issue }) => errorsOf(issue)),
      plainJson
    )
  }
}

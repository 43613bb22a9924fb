/**
 * Encodes values as JSON by their schemas: the rows and payloads that a program writes, and the results of commands.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { errorsOf, type FieldError } from "./FieldError.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { type HasKnownKeys, knownKeysOf } from "./KnownKeys.ts"
import { plainJson } from "./PlainJson.ts"

/** Returns JSON that no other code holds, or the errors of the value. */
export type Encode<Encoded> = (value: unknown) => Result.Result<Encoded, ReadonlyArray<FieldError>>

/**
 * `Schema.Any` and its like let through values that are not JSON, or that the program still holds. Errors are looked for
 * only if there is one.
 */
export const jsonEncoder = (
  schema: Schema.Codec<unknown, unknown>,
  options: Pick<SchemaAST.ParseOptions, "onExcessProperty"> = {}
): Encode<Schema.Json> => {
  const codec = jsonCodec(schema)
  const plain = Schema.encodeUnknownResult(codec)
  const all = Schema.encodeUnknownResult(codec, { errors: "all", ...options })
  let hasKnownKeys: HasKnownKeys | undefined
  return (value) => {
    hasKnownKeys ??= options.onExcessProperty === undefined ? () => true : knownKeysOf(Schema.flip(codec).ast)
    const encoded = hasKnownKeys(value) ? plain(value) : undefined
    return encoded !== undefined && Result.isSuccess(encoded)
      ? plainJson(encoded.success)
      : Result.flatMap(
          Result.mapError(all(value), ({ issue }) => errorsOf(issue)),
          plainJson
        )
  }
}

/** Decodes data from outside. An unknown field is an error. It reports all errors as long as that is cheap. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type HasKnownKeys, knownKeysOf } from "./KnownKeys.ts"

/** Data with more members than this gets only its first error reported, not all of them. */
const toldMembersMax = 2_000

/**
 * A decoder of JSON. Each reported error costs as much as a small record, so a body full of errors would hold up a
 * leader. Data without unknown fields is decoded without looking for errors first, at half the cost.
 */
export const decoder = <S extends Schema.Codec<unknown, unknown>>(
  codec: S
): ((data: unknown) => Result.Result<S["Type"], Schema.SchemaError>) => {
  const plain = Schema.decodeUnknownResult(codec)
  const all = Schema.decodeUnknownResult(codec, { errors: "all", onExcessProperty: "error" })
  const first = Schema.decodeUnknownResult(codec, { errors: "first", onExcessProperty: "error" })
  let hasKnownKeys: HasKnownKeys | undefined
  return (data) => {
    hasKnownKeys ??= knownKeysOf(codec.ast)
    const decoded = hasKnownKeys(data) ? plain(data) : undefined
    if (decoded !== undefined && Result.isSuccess(decoded)) return decoded
    return (hasMoreMembers(data, { left: toldMembersMax }) ? first : all)(data)
  }
}

/** Counts members, and stops once none are left of the limit. */
const hasMoreMembers = (data: unknown, members: { left: number }): boolean => {
  if (typeof data !== "object" || data === null) return false
  for (const key in data) {
    if (!Object.hasOwn(data, key)) continue
    members.left -= 1
    if (members.left < 0 || hasMoreMembers((data as Record<string, unknown>)[key], members)) return true
  }
  return false
}

/** Decodes data from outside. An unknown field is an error. It reports all errors as long as that is cheap. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { notParsed, quickParser } from "./QuickParser.ts"

/** Data with more members than this gets only its first error reported, not all of them. */
const toldMembersMax = 2_000

/**
 * A decoder of JSON. Each reported error costs as much as a small record, so a body full of errors would hold up a
 * leader.
 */
export const decoder = <S extends Schema.Codec<unknown, unknown>>(
  codec: S
): ((data: unknown) => Result.Result<S["Type"], Schema.SchemaError>) => {
  const quick = quickParser(() => codec.ast, { refusesExcess: true })
  const all = Schema.decodeUnknownResult(codec, { errors: "all", onExcessProperty: "error" })
  const first = Schema.decodeUnknownResult(codec, { errors: "first", onExcessProperty: "error" })
  return (data) => {
    const decoded = quick(data)
    if (decoded !== notParsed) return Result.succeed(decoded as S["Type"])
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

/** Decoding what came from outside: an unknown field is wrong, and what is wrong is told, as far as that may cost. Pure. */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** Members that data may have for all that is wrong with it to be told; of larger data it is what was found first. */
const toldMembersMax = 2_000

/** A decoder of JSON. Each thing that is wrong costs as much as a small record: a body full of them would hold up a leader. */
export const decoder = <S extends Schema.Codec<unknown, unknown>>(
  codec: S
): ((data: unknown) => Result.Result<S["Type"], Schema.SchemaError>) => {
  const all = Schema.decodeUnknownResult(codec, { errors: "all", onExcessProperty: "error" })
  const first = Schema.decodeUnknownResult(codec, { errors: "first", onExcessProperty: "error" })
  return (data) => (hasMoreMembers(data, { left: toldMembersMax }) ? first : all)(data)
}

/** Looks at no more members than are left. */
const hasMoreMembers = (data: unknown, members: { left: number }): boolean => {
  if (typeof data !== "object" || data === null) return false
  for (const key in data) {
    if (!Object.hasOwn(data, key)) continue
    members.left -= 1
    if (members.left < 0 || hasMoreMembers((data as Record<string, unknown>)[key], members)) return true
  }
  return false
}

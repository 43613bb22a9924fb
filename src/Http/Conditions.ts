/**
 * The conditions of a request, from its headers. Pure. RFC 9110 §13.1; a condition that is not taken is refused, since
 * to ignore it would be to do what the client forbade.
 */
import { Result } from "effect"
import { invalidRequest, type Problem } from "../Problem.ts"
import {
  type Condition,
  ifMatchHolds,
  ifNoneMatchHolds,
  parseCondition,
  parseRecordTag,
  type RecordTag
} from "./ETag.ts"

interface Headers {
  readonly [name: string]: string | undefined
}

/** The conditions of a write, as the machine takes them; `ifMatchTags` are the same for where a revision counts too. */
export interface WriteConditions {
  readonly versions: { readonly ifMatch?: "*" | ReadonlyArray<number>; readonly ifNoneMatch?: boolean }
  readonly ifMatchTags: Condition | undefined
}

/** What a write of this method takes: a POST nothing, since its target is no record; only a PUT can be told to create. */
export const writeConditions = (
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  headers: Headers
): Result.Result<WriteConditions, Problem> =>
  Result.gen(function* () {
    const ifMatchTags = yield* conditionOf("If-Match", headers["if-match"])
    const ifNoneMatch = yield* conditionOf("If-None-Match", headers["if-none-match"])
    if (method === "POST" && ifMatchTags !== undefined) return yield* refuse("A POST takes no If-Match")
    if (ifNoneMatch === undefined) return { versions: allowedVersions(ifMatchTags), ifMatchTags }
    if (method !== "PUT") return yield* refuse(`A ${method} takes no If-None-Match`)
    if (ifNoneMatch._tag === "Tags") return yield* refuse("A PUT takes If-None-Match: * only")
    return { versions: { ...allowedVersions(ifMatchTags), ifNoneMatch: true }, ifMatchTags }
  })

/** What a read comes to: the record is sent, is known to the client (304), or is not the one asked for (412). */
export type ReadVerdict = "send" | "known" | "conflict"

/** Judges what was read, in the order of RFC 9110 §13.2.2. */
export const readConditions = (
  headers: Headers
): Result.Result<(current: RecordTag | undefined) => ReadVerdict, Problem> =>
  Result.gen(function* () {
    const ifMatch = yield* conditionOf("If-Match", headers["if-match"])
    const ifNoneMatch = yield* conditionOf("If-None-Match", headers["if-none-match"])
    return (current) => {
      if (ifMatch !== undefined && !ifMatchHolds({ condition: ifMatch, current, compareRevision: true })) {
        return "conflict"
      }
      return ifNoneMatch !== undefined && !ifNoneMatchHolds({ condition: ifNoneMatch, current }) ? "known" : "send"
    }
  })

const refuse = (detail: string): Result.Result<never, Problem> => Result.fail(invalidRequest(detail))

const conditionOf = (header: string, value: string | undefined): Result.Result<Condition | undefined, Problem> =>
  value === undefined
    ? Result.succeed(undefined)
    : Result.mapError(parseCondition(header, value), ({ message }) => invalidRequest(message))

/** The versions that `If-Match` allows. A weak tag, or one that is none of ours, allows none (RFC 9110 §13.1.1). */
const allowedVersions = (condition: Condition | undefined): WriteConditions["versions"] => {
  if (condition === undefined) return {}
  if (condition._tag === "Any") return { ifMatch: "*" }
  const versions = condition.tags.flatMap(({ opaque, weak }) => {
    const version = weak ? undefined : parseRecordTag(opaque)?.version
    return version === undefined ? [] : [version]
  })
  return { ifMatch: versions }
}

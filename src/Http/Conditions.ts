/**
 * Reads the conditions of a request from its headers. Pure. RFC 9110 §13.1. A condition that the method does not take
 * is refused: ignoring it would do what the client forbade.
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

/** The conditions of a write. `ifMatch` has the versions for the machine; `ifMatchTags` has the whole tags, with local revisions. */
export interface WriteConditions {
  readonly versions: { readonly ifMatch?: "*" | ReadonlyArray<number>; readonly ifNoneMatch?: boolean }
  readonly ifMatchTags: Condition | undefined
}

/** Reads the conditions of a write. A POST takes none, since its target is not a record; only a PUT takes `If-None-Match`. */
export const writeConditions = (
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  headers: Headers
): Result.Result<WriteConditions, Problem> => {
  if (isUnconditional(headers)) return unconditional
  return Result.gen(function* () {
    const ifMatchTags = yield* conditionOf("If-Match", headers["if-match"])
    const ifNoneMatch = yield* conditionOf("If-None-Match", headers["if-none-match"])
    if (method === "POST" && ifMatchTags !== undefined)
      return yield* refuse("A POST takes no If-Match: leave the header out")
    if (ifNoneMatch === undefined) return { versions: allowedVersions(ifMatchTags), ifMatchTags }
    if (method !== "PUT") return yield* refuse(`A ${method} takes no If-None-Match: leave the header out`)
    if (ifNoneMatch._tag === "Tags") return yield* refuse("A PUT takes only * in If-None-Match")
    return { versions: { ...allowedVersions(ifMatchTags), ifNoneMatch: true }, ifMatchTags }
  })
}

/** Most requests have no condition. */
const isUnconditional = (headers: Headers): boolean =>
  headers["if-match"] === undefined && headers["if-none-match"] === undefined
const unconditional: Result.Result<WriteConditions> = Result.succeed({ versions: {}, ifMatchTags: undefined })
const send: Result.Result<JudgeRead> = Result.succeed(() => "send")

/** The verdict on a read: send the record; the client knows it (304); or it is not the version asked for (412). */
export type ReadVerdict = "send" | "known" | "conflict"

/** Judges a read by the record that it finds. */
export type JudgeRead = (current: RecordTag | undefined) => ReadVerdict

/** Checks the conditions of a read in the order of RFC 9110 §13.2.2. */
export const readConditions = (headers: Headers): Result.Result<JudgeRead, Problem> => {
  if (isUnconditional(headers)) return send
  return Result.gen(function* () {
    const ifMatch = yield* conditionOf("If-Match", headers["if-match"])
    const ifNoneMatch = yield* conditionOf("If-None-Match", headers["if-none-match"])
    return (current) => {
      if (ifMatch !== undefined && !ifMatchHolds({ condition: ifMatch, current, compareRevision: true })) {
        return "conflict"
      }
      return ifNoneMatch !== undefined && !ifNoneMatchHolds({ condition: ifNoneMatch, current }) ? "known" : "send"
    }
  })
}

const refuse = (detail: string): Result.Result<never, Problem> => Result.fail(invalidRequest(detail))

const conditionOf = (header: string, value: string | undefined): Result.Result<Condition | undefined, Problem> =>
  value === undefined
    ? Result.succeed(undefined)
    : Result.mapError(parseCondition(header, value), ({ message }) => invalidRequest(message))

/** The versions that `If-Match` allows. A weak or foreign tag allows none (RFC 9110 §13.1.1). */
const allowedVersions = (condition: Condition | undefined): WriteConditions["versions"] => {
  if (condition === undefined) return {}
  if (condition._tag === "Any") return { ifMatch: "*" }
  const versions = condition.tags.flatMap(({ opaque, weak }) => {
    const version = weak ? undefined : parseRecordTag(opaque)?.version
    return version === undefined ? [] : [version]
  })
  return { ifMatch: versions }
}

/** Parses the query of a projection read: one state, or a page of states by key. Pure. docs/http.md, "Projections". */
import { Result } from "effect"
import { invalidRequest, type Problem, type ProblemError } from "../Problem.ts"
import { decodeCursor, encodeCursor, listFingerprint } from "./Cursor.ts"
import { parseLimit } from "./ListQuery.ts"
import { invalidQuery, only, type Params, refuseOthers } from "./Params.ts"
import { noRead, readParameters } from "./ReadQuery.ts"

/** A query for the state of one key, or for at most `limit` states whose keys follow `after`. */
export type StatesQuery =
  | { readonly _tag: "Key"; readonly key: string }
  | { readonly _tag: "Page"; readonly after?: string; readonly limit: number }

/** Identifies the list that a cursor belongs to. */
interface Listed {
  readonly name: string
  readonly version: number
}

const fingerprintOf = ({ name, version }: Listed): string => listFingerprint(["projection", name, version])

/** Parses the query of a keyed projection. */
export const parseStatesQuery = (projection: Listed, params: Params): Result.Result<StatesQuery, Problem> =>
  Result.flatMap(refuseOthers(params, ["key", "limit", "cursor", ...readParameters]), () => {
    const errors: Array<ProblemError> = []
    const key = only(params, "key", errors)
    const limit = only(params, "limit", errors)
    const cursor = only(params, "cursor", errors)
    if (key !== undefined && (limit ?? cursor) !== undefined) {
      errors.push({ path: "key", message: "cannot be combined with limit or cursor" })
    }
    const query: StatesQuery =
      key === undefined ? { _tag: "Page", limit: parseLimit(limit, errors) } : { _tag: "Key", key }
    if (errors.length > 0) return Result.fail(invalidQuery(noRead, errors))
    if (query._tag === "Key" || cursor === undefined) return Result.succeed(query)
    return Result.map(resumedAt(projection, cursor), (after) => ({ ...query, after }))
  })

/** Reads the key after which the next page starts. */
export const resumedAt = (projection: Listed, cursor: string): Result.Result<string, Problem> =>
  Result.mapBoth(decodeCursor(cursor, { fingerprint: fingerprintOf(projection), keyCount: 1 }), {
    onFailure: ({ message }) => invalidRequest(message, [{ path: "cursor", message }]),
    onSuccess: ([after]) => String(after)
  })

/** Makes the cursor of a page that ended with this key. */
export const statesCursor = (projection: Listed, lastKey: string): string =>
  encodeCursor({ fingerprint: fingerprintOf(projection), lastKey: [lastKey] })

/** What a read of a projection asks for: one state, or a page of states by key. Pure. docs/http.md, "Projections". */
import { Result } from "effect"
import { invalidRequest, type Problem, type ProblemError } from "../Problem.ts"
import { decodeCursor, encodeCursor, listFingerprint } from "./Cursor.ts"
import { parseLimit } from "./ListQuery.ts"
import { invalidQuery, only, type Params, refuseOthers } from "./Params.ts"
import { noRead, readParameters } from "./ReadQuery.ts"

/** The state of one key, or at most `limit` states of the keys after `after`. */
export type StatesQuery =
  | { readonly _tag: "Key"; readonly key: string }
  | { readonly _tag: "Page"; readonly after?: string; readonly limit: number }

/** What identifies the list that a cursor goes on in. */
interface Listed {
  readonly name: string
  readonly version: number
}

const fingerprintOf = ({ name, version }: Listed): string => listFingerprint(["projection", name, version])

/** What a read of a keyed projection asks for. */
export const parseStatesQuery = (projection: Listed, params: Params): Result.Result<StatesQuery, Problem> =>
  Result.flatMap(refuseOthers(params, ["key", "limit", "cursor", ...readParameters]), () => {
    const errors: Array<ProblemError> = []
    const key = only(params, "key", errors)
    const limit = only(params, "limit", errors)
    const cursor = only(params, "cursor", errors)
    if (key !== undefined && (limit ?? cursor) !== undefined) {
      errors.push({ path: "key", message: "goes without limit and cursor" })
    }
    const query: StatesQuery =
      key === undefined ? { _tag: "Page", limit: parseLimit(limit, errors) } : { _tag: "Key", key }
    if (errors.length > 0) return Result.fail(invalidQuery(noRead, errors))
    if (query._tag === "Key" || cursor === undefined) return Result.succeed(query)
    const decoded = decodeCursor(cursor, { fingerprint: fingerprintOf(projection), keyCount: 1 })
    return Result.mapBoth(decoded, {
      onFailure: ({ message }) => invalidRequest(message, [{ path: "cursor", message }]),
      onSuccess: ([after]) => ({ ...query, after: String(after) })
    })
  })

/** The cursor of the page that ended with this key. */
export const statesCursor = (projection: Listed, lastKey: string): string =>
  encodeCursor({ fingerprint: fingerprintOf(projection), lastKey: [lastKey] })

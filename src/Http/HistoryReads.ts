/** Serves the history of one record, and parses the moment of `?at=`. docs/http.md, "History". */
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import * as Rfc3339 from "../Model/Rfc3339.ts"
import { notFound, type Problem, type ProblemError, withHeaders } from "../Problem.ts"
import type { Consistency } from "../Repository/Freshness.ts"
import { type HistoryPage, type Moment, NotAPlace, type Past, type Place } from "../Repository/RecordHistory.ts"
import type { PastFailure } from "../Repository/Records.ts"
import { listFingerprint, nextLink } from "./Cursor.ts"
import { answer, awaiting, awaitTurn, type Handler, withValue } from "./Handler.ts"
import type { Head } from "./Head.ts"
import { parseLimit } from "./ListQuery.ts"
import { invalidQuery, only, type Params, parseParams, refuseOthers } from "./Params.ts"
import { historyPath } from "./Paths.ts"
import { noRead, parseConsistency, readParameters } from "./ReadQuery.ts"
import { readHeaders } from "./RecordResponse.ts"
import type { ServedModel } from "./ServedModel.ts"

/** Raise it when the layout of the cursor changes: an older one is then invalid, never misread. */
const layoutVersion = 1

/** Makes the cursor of the next page of a record's history. Not secret. Any node takes it. */
export const encodePlace = (record: { readonly path: string; readonly id: string }, place: Place): string => {
  const { afterVersion, from, isComplete } = place
  const known = isComplete === undefined ? null : isComplete
  const walked = from === undefined ? [] : [from.version, from.index]
  return Base64Url.encode(JSON.stringify([layoutVersion, fingerprintOf(record), afterVersion, known, ...walked]))
}

const fingerprintOf = ({ id, path }: { readonly path: string; readonly id: string }): string =>
  listFingerprint(["history", path, id])

/** The place of a cursor; undefined if it is not one of this record's history. */
export const decodePlace = (
  record: { readonly path: string; readonly id: string },
  cursor: string
): Place | undefined => {
  const parsed = Result.flatMap(Base64Url.decodeString(cursor), (text) => Result.try((): unknown => JSON.parse(text)))
  if (Result.isFailure(parsed) || !Array.isArray(parsed.success)) return undefined
  const [version, fingerprint, afterVersion, known, ...walked]: ReadonlyArray<unknown> = parsed.success
  if (version !== layoutVersion || fingerprint !== fingerprintOf(record)) return undefined
  if (!isCount(afterVersion) || (known !== null && typeof known !== "boolean")) return undefined
  const place = { afterVersion, isComplete: known ?? undefined }
  if (walked.length === 0) return place
  const [fromVersion, index] = walked
  const isStep =
    walked.length === 2 && isCount(fromVersion) && isCount(index) && fromVersion > afterVersion && index > 0
  return isStep ? { ...place, from: { version: fromVersion, index } } : undefined
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Reads a moment: a version, or a time as in RFC 3339. */
export const parseMoment = (text: string): Moment | undefined => {
  if (/^[1-9]\d{0,14}$/.test(text)) return { version: Number(text) }
  const time = Rfc3339.read(text)
  return time === undefined ? undefined : { timeMs: time.ms }
}

/** The problem of a read of the past that failed. */
export const problemOfPast = (failure: PastFailure): Problem =>
  failure instanceof NotAPlace ? notOurs : failure.toProblem()

const notOurs = invalidQuery(noRead, [{ path: "cursor", message: "is not one of this record's history" }])

interface Asked {
  readonly params: Params
  readonly id: string
  readonly consistency: Consistency
  readonly limit: number
  readonly place: Place
}

const parse = (served: ServedModel, head: Head): Result.Result<Asked, Problem> =>
  Result.gen(function* () {
    const id = yield* served.idOfHistory(head)
    const params = yield* parseParams(head.url)
    yield* refuseOthers(params, [...readParameters, "limit", "cursor"])
    const errors: Array<ProblemError> = []
    const limit = parseLimit(only(params, "limit", errors), errors)
    const cursor = only(params, "cursor", errors)
    const { path } = served.descriptor
    const place = cursor === undefined ? { afterVersion: 0 } : decodePlace({ path, id }, cursor)
    if (place === undefined) errors.push({ path: "cursor", message: "is not one of this record's history" })
    if (errors.length > 0 || place === undefined) return yield* Result.fail(invalidQuery(noRead, errors))
    const consistency = yield* parseConsistency(params, head.headers["lithair-min-index"])
    return { params, id, consistency, limit, place }
  })

/** Reads a page of the history of the record at the path. */
export const readHistory = (served: ServedModel): Handler => {
  const { descriptor, records } = served
  const { name, path } = descriptor
  return (head) =>
    withValue(parse(served, head), ({ consistency, id, limit, params, place }) =>
      awaiting({
        begin: records.beginHistory(head.caller, descriptor, id, { place, limit }, consistency),
        onSuccess: (found) => {
          const { value: page } = found
          const headers = readHeaders(found)
          if (page === undefined) return withHeaders(notFound(`There never was a ${name} ${id}`), headers)
          return awaitTurn(() => {
            const next = page.next === undefined ? null : encodePlace({ path, id }, page.next)
            const pathname = historyPath({ path }, id)
            const link = next === null ? {} : { link: nextLink({ pathname, params, cursor: next }) }
            return answer(200, { ...headers, ...link }, bodyOf(page, next))
          })
        },
        onFailure: problemOfPast
      })
    )
}

const bodyOf = ({ isComplete, items }: HistoryPage, next: string | null): string =>
  JSON.stringify({ items: items.map(itemOf), next, complete: isComplete })

const itemOf = ({ actor, event, index, isOfState, record, timeMs, version }: Past) => ({
  version,
  index,
  at: new Date(timeMs).toISOString(),
  ...(actor === undefined ? {} : { actor }),
  event,
  ...(isOfState === true ? { ofState: true } : {}),
  ...(record === undefined ? { erased: true } : { data: record })
})

/** Serves GET of one record and of a list. docs/http.md, "Lists", "Reads". */
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { list } from "../Machine/List.ts"
import { notFound, withHeaders } from "../Problem.ts"
import type { Consistency } from "../Repository/Freshness.ts"
import { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { problemOfRejection } from "../Repository/RejectionProblem.ts"
import { Turn } from "./Body.ts"
import { readConditions } from "./Conditions.ts"
import { nextLink } from "./Cursor.ts"
import { formatETag } from "./ETag.ts"
import { makeListParser, nextCursor } from "./ListQuery.ts"
import type { ServedModel } from "./ModelRoutes.ts"
import { bodyOf, encodePage } from "./Page.ts"
import { parseParams, refuseOthers } from "./Params.ts"
import { parseConsistency, problemOfRead, readParameters } from "./ReadQuery.ts"
import { answerRecord, readHeaders, tagOf } from "./RecordResponse.ts"

/** Reads the record at the path. */
export const readRecord = ({ descriptor, id, instance, records }: ServedModel) =>
  Effect.gen(function* () {
    const { headers, url } = yield* HttpServerRequest.HttpServerRequest
    const key = yield* id
    const params = yield* Effect.fromResult(parseParams(url))
    yield* Effect.fromResult(refuseOthers(params, readParameters))
    const consistency = yield* Effect.fromResult(parseConsistency(params, headers["lithair-min-index"]))
    const judge = yield* Effect.fromResult(readConditions(headers))
    const found = yield* Effect.mapError(records.get(descriptor, key, consistency), problemOfRead)
    const { value: shown } = found
    const tag = shown === undefined ? undefined : tagOf(instance, shown)
    const verdict = judge(tag)
    if (verdict === "conflict") {
      const conflict = problemOfRejection({ _tag: "VersionConflict", currentVersion: tag?.version ?? null }, undefined)
      return yield* withHeaders(conflict, readHeaders(found))
    }
    if (shown === undefined || tag === undefined) {
      return yield* withHeaders(notFound(`There is no ${descriptor.name} ${key}`), readHeaders(found))
    }
    if (verdict === "known") {
      return HttpServerResponse.empty({ status: 304, headers: { etag: formatETag(tag), ...readHeaders(found) } })
    }
    return answerRecord({ shown, instance, status: 200, headers: readHeaders(found) })
  })

const asItIs: Consistency = { _tag: "Local" }

/** Reads one page of the model's records. */
export const listRecords = ({ collection, descriptor, records }: ServedModel) => {
  const parseList = makeListParser(descriptor)
  return Effect.gen(function* () {
    const { headers, url } = yield* HttpServerRequest.HttpServerRequest
    const params = yield* Effect.fromResult(parseParams(url))
    const query = yield* Effect.fromResult(parseList(params))
    const consistency = yield* Effect.fromResult(parseConsistency(params, headers["lithair-min-index"]))
    const { staleMs } = yield* Effect.mapError(records.source(descriptor, consistency), problemOfRead)
    // One round confirms many lists at once, and a page of a thousand records deserves its own slice. The list may be newer
    // than what was confirmed, and its index says so.
    yield* Effect.flatten(Turn)
    const { logIndex, value } = yield* Effect.mapError(records.source(descriptor, asItIs), problemOfRead)
    const source = { value, logIndex, ...(staleMs === undefined ? {} : { staleMs }) }
    const found = yield* Effect.mapError(Effect.fromResult(list(source.value, query)), (row) =>
      new RecordUnreadable({ model: descriptor.name, ...row }).toProblem()
    )
    const page = encodePage(found, query)
    const { lastKey } = page
    const next = lastKey === undefined ? null : yield* Effect.fromResult(nextCursor(query, lastKey))
    const link = next === null ? {} : { link: nextLink({ pathname: collection, params, cursor: next }) }
    return HttpServerResponse.text(bodyOf(page, next, found.total), {
      contentType: "application/json",
      headers: { ...readHeaders(source), ...link }
    })
  })
}

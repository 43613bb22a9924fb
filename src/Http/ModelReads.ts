/** Serves GET of one record and of a list. docs/http.md, "Lists", "Reads". */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { list } from "../Machine/List.ts"
import { errorsOfAsked } from "../Machine/Seen.ts"
import { notFound, type Problem, type ProblemError, withHeaders } from "../Problem.ts"
import type { Consistency } from "../Repository/Freshness.ts"
import type { Moment } from "../Repository/RecordHistory.ts"
import type { Read, Shown } from "../Repository/Records.ts"
import { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { problemOfRejection } from "../Repository/RejectionProblem.ts"
import { type JudgeRead, readConditions } from "./Conditions.ts"
import { nextLink } from "./Cursor.ts"
import { formatETag } from "./ETag.ts"
import { answer, awaiting, awaitTurn, type Handler, type Step, withValue } from "./Handler.ts"
import type { Head } from "./Head.ts"
import { parseMoment, problemOfPast } from "./HistoryReads.ts"
import { type ListQuery, makeListParser, nextCursor } from "./ListQuery.ts"
import { bodyOf, encodePage } from "./Page.ts"
import { invalidQuery, only, type Params, parseParams, refuseOthers } from "./Params.ts"
import { noRead, parseConsistency, problemOfRead, readParameters } from "./ReadQuery.ts"
import { answerRecord, readHeaders, tagOf } from "./RecordResponse.ts"
import type { ServedModel } from "./ServedModel.ts"

/** Reads the record at the path. */
export const readRecord = (served: ServedModel): Handler => {
  const { descriptor, instance, records } = served

  const show = (found: Read<Shown | undefined>, key: string, judge: JudgeRead): Step => {
    const { value: shown } = found
    const tag = shown === undefined ? undefined : tagOf(instance, shown)
    const verdict = judge(tag)
    if (verdict === "conflict") {
      const conflict = problemOfRejection({ _tag: "VersionConflict", currentVersion: tag?.version ?? null }, undefined)
      return withHeaders(conflict, readHeaders(found))
    }
    if (shown === undefined || tag === undefined) {
      return withHeaders(notFound(`There is no ${descriptor.name} ${key}`), readHeaders(found))
    }
    return verdict === "known"
      ? answer(304, { etag: formatETag(tag), ...readHeaders(found) }, undefined)
      : answerRecord({ shown, instance, status: 200, headers: readHeaders(found) })
  }

  const read = (caller: Caller, key: string, { consistency, moment }: Asked, judge: JudgeRead): Step =>
    moment === undefined
      ? awaiting({
          begin: records.beginGet(caller, descriptor, key, consistency),
          onSuccess: (found) => show(found, key, judge),
          onFailure: problemOfRead
        })
      : awaiting({
          begin: records.beginPast(caller, descriptor, key, moment, consistency),
          onSuccess: (found) => show(found, key, judge),
          onFailure: problemOfPast
        })

  return (head) =>
    withValue(served.id(head), (key) =>
      withValue(askedOf(head), (asked) =>
        withValue(readConditions(head.headers), (judge) => read(head.caller, key, asked, judge))
      )
    )
}

/** How new the answer must be, and the past state that the request asks for, if it does. */
interface Asked {
  readonly consistency: Consistency
  readonly moment: Moment | undefined
}

const askedOf = ({ headers, url }: Head): Result.Result<Asked, Problem> =>
  Result.flatMap(parseParams(url), (params) =>
    Result.flatMap(refuseOthers(params, itemParameters), () =>
      Result.flatMap(momentOf(params), (moment) =>
        Result.map(parseConsistency(params, headers["lithair-min-index"]), (consistency) => ({ consistency, moment }))
      )
    )
  )

const itemParameters = [...readParameters, "at"]

const noMoment: Result.Result<Moment | undefined> = Result.succeed(undefined)

const momentOf = (params: Params): Result.Result<Moment | undefined, Problem> => {
  if (params.length === 0) return noMoment
  const errors: Array<ProblemError> = []
  const text = only(params, "at", errors)
  const moment = text === undefined ? undefined : parseMoment(text)
  if (text !== undefined && moment === undefined) {
    errors.push({ path: "at", message: "takes a version from 1, or a time with a zone as in RFC 3339" })
  }
  return errors.length > 0 ? Result.fail(invalidQuery(noRead, errors)) : Result.succeed(moment)
}

const asItIs: Consistency = { _tag: "Local" }

/** Reads one page of the model's records. */
export const listRecords = ({ collection, descriptor, records }: ServedModel): Handler => {
  const parseList = makeListParser(descriptor)

  // One round confirms many lists at once, and a page of a thousand records deserves its own slice. The list may be newer
  // than what was confirmed, and its index says so.
  const page = (caller: Caller, query: ListQuery, params: Params, staleMs: number | undefined): Step =>
    awaiting({
      begin: records.beginSource(caller, descriptor, asItIs),
      onSuccess: ({ logIndex, value }) => {
        const unseen = errorsOfAsked(value.unseen, query)
        if (unseen.length > 0) return invalidQuery("The query of this list is invalid", unseen)
        const found = list(value, query)
        if (Result.isFailure(found))
          return new RecordUnreadable({ model: descriptor.name, ...found.failure }).toProblem()
        const { total } = found.success
        const page = encodePage(found.success, query)
        const { lastKey } = page
        return withValue(lastKey === undefined ? Result.succeed(null) : nextCursor(query, lastKey), (next) => {
          const headers = readHeaders({ value, logIndex, ...(staleMs === undefined ? {} : { staleMs }) })
          const link = next === null ? {} : { link: nextLink({ pathname: collection, params, cursor: next }) }
          return answer(200, { ...headers, ...link }, bodyOf(page, next, total))
        })
      },
      onFailure: problemOfRead
    })

  return ({ caller, headers, url }) =>
    withValue(parseParams(url), (params) =>
      withValue(parseList(params), (query) =>
        withValue(parseConsistency(params, headers["lithair-min-index"]), (consistency) =>
          awaiting({
            begin: records.beginSource(caller, descriptor, consistency),
            onSuccess: ({ staleMs }) => awaitTurn(() => page(caller, query, params, staleMs)),
            onFailure: problemOfRead
          })
        )
      )
    )
}

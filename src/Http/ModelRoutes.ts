/** The endpoints of one model, served. What they look like to a reader of the document is ModelEndpoints.ts. */
import { Effect, Result } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { invariant } from "../Invariant.ts"
import { compareDecimals } from "../Machine/Decimal.ts"
import { list } from "../Machine/List.ts"
import type { Descriptor, EncodedRecord } from "../Model.ts"
import type { Change, Changed, Records, Shown } from "../Repository/Records.ts"
import { jsonMediaTypes, patchMediaTypes, readJson } from "./Body.ts"
import { nextLink } from "./Cursor.ts"
import {
  type Condition,
  formatETag,
  ifMatchHolds,
  ifNoneMatchHolds,
  parseCondition,
  parseRecordTag,
  type RecordTag
} from "./ETag.ts"
import { originOf } from "./IdempotencyKey.ts"
import { listField } from "./ListFilter.ts"
import { makeListParser, nextCursor } from "./ListQuery.ts"
import { problemOfFailure, problemOfRejection } from "./Outcomes.ts"
import { invalidRequest, notFound, type Problem, withHeaders } from "./Problem.ts"
import { indexHeader } from "./ResponseHeaders.ts"
import { uuid } from "./Routing.ts"

/** A DELETE has no body that could mean anything. */
const noBody = new Uint8Array()

const conditionOf = (header: string, value: string | undefined): Result.Result<Condition | undefined, Problem> =>
  value === undefined
    ? Result.succeed(undefined)
    : Result.mapError(parseCondition(header, value), ({ message }) => invalidRequest(message))

/** The versions that `If-Match` allows. A weak tag, or one that is none of ours, allows none (RFC 9110 §13.1.1). */
const allowedVersions = (condition: Condition | undefined): { readonly ifMatch?: "*" | ReadonlyArray<number> } => {
  if (condition === undefined) return {}
  if (condition._tag === "Any") return { ifMatch: "*" }
  const versions = condition.tags.flatMap(({ opaque, weak }) => {
    const version = weak ? undefined : parseRecordTag(opaque)?.version
    return version === undefined ? [] : [version]
  })
  return { ifMatch: versions }
}

/** The routes of one model over the records of this node, whose instance its entity tags name. */
export const modelRoutes = (descriptor: Descriptor, records: Records["Service"], instance: string) => {
  const collection = `/api/${descriptor.path}` as const
  const item = `${collection}/:id` as const

  const idSchema = descriptor.fields[descriptor.idField]
  invariant(idSchema !== undefined, `model ${descriptor.name} has no id`)
  const { holds: isId } = listField(descriptor.idField, idSchema)
  const id = Effect.flatMap(HttpRouter.params, ({ id }) =>
    id !== undefined && isId(id)
      ? Effect.succeed(id)
      : Effect.fail(notFound(`There is no ${descriptor.name} ${id ?? ""}`))
  )

  const tagOf = ({ localRevision, version }: Shown): RecordTag =>
    localRevision === undefined ? { version } : { version, local: { instance, revision: localRevision } }
  const answer = (record: Shown, status: number, headers: Record<string, string> = {}) =>
    HttpServerResponse.jsonUnsafe(record.record, { status, headers: { etag: formatETag(tagOf(record)), ...headers } })

  const change = (operation: Change): Effect.Effect<Changed, Problem> =>
    records
      .change(descriptor, operation)
      .pipe(
        Effect.mapError((error) =>
          error._tag === "Refused"
            ? withHeaders(problemOfRejection(error.rejection, operation.key), outcomeHeaders(error))
            : problemOfFailure(error, operation.key)
        )
      )

  const parseList = makeListParser(descriptor)
  const comparators = new Map(descriptor.decimalFields.map((field) => [field, compareDecimals]))

  const browse = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { searchParams } = new URL(request.url, "http://node")
    const params = [...searchParams]
    const query = yield* Effect.fromResult(parseList(params))
    const source = yield* records
      .source(descriptor)
      .pipe(Effect.mapError((error) => problemOfFailure(error, undefined)))
    const page = list({ ...source, comparators }, query)
    const items = page.rows.map(({ record }) => (query.select === undefined ? record : pick(record, query.select)))
    const next = page.lastKey === undefined ? null : nextCursor(query, page.lastKey)
    const link = next === null ? {} : { link: nextLink({ pathname: collection, params, cursor: next }) }
    const total = page.total === undefined ? {} : { total: page.total }
    return HttpServerResponse.jsonUnsafe({ items, next, ...total }, { headers: link })
  })

  const create = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { bytes, data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    const origin = yield* Effect.fromResult(originOf(request, bytes))
    const given = givenId(descriptor, data)
    if (given !== undefined && !uuid.test(given)) {
      return yield* invalidRequest("The id is malformed", [{ path: descriptor.idField, message: "Expected a UUID" }])
    }
    const made = yield* change({ _tag: "Create", model: descriptor.name, data, ...origin })
    return answer(made, 201, changeHeaders(made, { location: `${collection}/${made.id}` }))
  })

  const read = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const key = yield* id
    const condition = yield* Effect.fromResult(conditionOf("If-None-Match", request.headers["if-none-match"]))
    const found = yield* records
      .get(descriptor, key)
      .pipe(Effect.mapError((error) => problemOfFailure(error, undefined)))
    if (found === undefined) return yield* notFound(`There is no ${descriptor.name} ${key}`)
    const isKnown = condition !== undefined && !ifNoneMatchHolds({ condition, current: tagOf(found) })
    if (isKnown) return HttpServerResponse.empty({ status: 304, headers: { etag: formatETag(tagOf(found)) } })
    return answer(found, 200)
  })

  const put = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const key = yield* id
    const ifMatch = yield* Effect.fromResult(conditionOf("If-Match", request.headers["if-match"]))
    const ifNoneMatch = yield* Effect.fromResult(conditionOf("If-None-Match", request.headers["if-none-match"]))
    if (ifNoneMatch?._tag === "Tags") return yield* invalidRequest("A write takes If-None-Match: * only")
    const { bytes, data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    const origin = yield* Effect.fromResult(originOf(request, bytes))
    const written = yield* change({
      _tag: "Put",
      model: descriptor.name,
      id: key,
      data,
      ...origin,
      ...allowedVersions(ifMatch),
      ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: true })
    })
    const created = written.change === "created"
    const headers = changeHeaders(written, created ? { location: `${collection}/${key}` } : {})
    return answer(written, created ? 201 : 200, headers)
  })

  const patch = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const key = yield* id
    const ifMatch = yield* Effect.fromResult(conditionOf("If-Match", request.headers["if-match"]))
    const { bytes, data } = yield* readJson(request, { mediaTypes: patchMediaTypes })
    const origin = yield* Effect.fromResult(originOf(request, bytes))
    const written = yield* change({
      _tag: "Patch",
      model: descriptor.name,
      id: key,
      data,
      ...origin,
      ...allowedVersions(ifMatch),
      ...(ifMatch === undefined
        ? {}
        : {
            holds: (current) =>
              ifMatchHolds({ condition: ifMatch, current: current && tagOf(current), compareRevision: true })
          })
    })
    return answer(written, 200, changeHeaders(written))
  })

  const remove = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const key = yield* id
    const ifMatch = yield* Effect.fromResult(conditionOf("If-Match", request.headers["if-match"]))
    const origin = yield* Effect.fromResult(originOf(request, noBody))
    const operation = { _tag: "Delete", model: descriptor.name, id: key, ...origin } as const
    const gone = yield* change({ ...operation, ...allowedVersions(ifMatch) })
    return HttpServerResponse.empty({ status: 204, headers: changeHeaders(gone) })
  })

  return [
    HttpRouter.route("POST", collection, create),
    HttpRouter.route("GET", collection, browse),
    HttpRouter.route("GET", item, read),
    HttpRouter.route("PUT", item, put),
    HttpRouter.route("PATCH", item, patch),
    HttpRouter.route("DELETE", item, remove)
  ] as const
}

/** What the headers say of how an outcome came about, a refusal included. */
const outcomeHeaders = (
  { isReplayed, logIndex }: { readonly isReplayed?: boolean; readonly logIndex?: number | undefined },
  headers: Record<string, string> = {}
): Record<string, string> => ({
  ...headers,
  ...(logIndex === undefined ? {} : { [indexHeader]: String(logIndex) }),
  ...(isReplayed === true ? { "idempotent-replayed": "true" } : {})
})

const changeHeaders = (changed: Changed, headers: Record<string, string> = {}): Record<string, string> =>
  outcomeHeaders(changed, { ...headers, ...(changed.isLocalPartLost ? { "lithair-local": "lost" } : {}) })

const pick = (record: EncodedRecord, fields: ReadonlyArray<string>): EncodedRecord =>
  Object.fromEntries(Object.entries(record).filter(([field]) => fields.includes(field)))

/** The id that a body brings, if it is one that could be in a path. */
const givenId = (descriptor: Descriptor, data: unknown): string | undefined => {
  if (typeof data !== "object" || data === null || !Object.hasOwn(data, descriptor.idField)) return undefined
  const value: unknown = Reflect.get(data, descriptor.idField)
  return typeof value === "string" ? value : undefined
}

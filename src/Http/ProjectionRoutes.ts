/** Serves projections: one state, states by key, pages of states, and how far each projection is. docs/http.md, "Projections". */
import { Effect, Result, type Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { notFound, type Problem, problem, withHeaders } from "../Problem.ts"
import type { Folded, Keyed, Whole } from "../Projection/Definition.ts"
import type { ProjectionReadFailure, ProjectionStatus, Projections } from "../Projection/Projections.ts"
import { encodeState } from "../Projection/Saved.ts"
import { Turn } from "./Body.ts"
import { nextLink } from "./Cursor.ts"
import { bodyOf, pageBytesMax } from "./Page.ts"
import { parseParams, refuseOthers } from "./Params.ts"
import { projectionPath, projectionsPath } from "./Paths.ts"
import { parseStatesQuery, statesCursor } from "./ProjectionQuery.ts"
import { parseConsistency, readParameters } from "./ReadQuery.ts"
import { readHeaders } from "./RecordResponse.ts"

/** Encodes at most so many bytes of a page before other work has its turn. */
const turnBytes = 16 * 1024

/** Makes the routes of a node's projections. */
export const projectionRoutes = (projections: Projections["Service"], served: ReadonlyArray<Folded<unknown>>) => [
  HttpRouter.route(
    "GET",
    projectionsPath,
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const params = yield* Effect.fromResult(parseParams(url))
      yield* Effect.fromResult(refuseOthers(params, []))
      return HttpServerResponse.jsonUnsafe({ items: projections.status().map(statusOf) })
    })
  ),
  ...served.map((projection) =>
    HttpRouter.route(
      "GET",
      projectionPath(projection),
      projection._tag === "Whole" ? readWhole(projections, projection) : readKeyed(projections, projection)
    )
  )
]

const statusOf = ({ failure, index, lagCount, name, version }: ProjectionStatus) => ({
  name,
  version,
  index,
  lag: lagCount,
  state: failure === undefined ? "following" : failure._tag === "ProjectionFailed" ? "failed" : "unavailable"
})

const asked = Effect.gen(function* () {
  const { headers, url } = yield* HttpServerRequest.HttpServerRequest
  const params = yield* Effect.fromResult(parseParams(url))
  const consistency = yield* Effect.fromResult(parseConsistency(params, headers["lithair-min-index"]))
  return { params, consistency }
})

const readWhole = (projections: Projections["Service"], projection: Whole<unknown>) =>
  Effect.gen(function* () {
    const { consistency, params } = yield* asked
    yield* Effect.fromResult(refuseOthers(params, readParameters))
    const found = yield* Effect.mapError(projections.get(projection, consistency), problemOfProjection)
    return yield* answerState(projection, found.value, readHeaders(found))
  })

const readKeyed = (projections: Projections["Service"], projection: Keyed<unknown>) =>
  Effect.gen(function* () {
    const { consistency, params } = yield* asked
    const query = yield* Effect.fromResult(parseStatesQuery(projection, params))
    if (query._tag === "Key") {
      const found = yield* Effect.mapError(projections.getKey(projection, query.key, consistency), problemOfProjection)
      if (found.value === undefined) {
        return yield* withHeaders(notFound(`${projection.name} has no state for this key`), readHeaders(found))
      }
      return yield* answerState(projection, found.value, readHeaders(found))
    }
    const found = yield* Effect.mapError(projections.page(projection, query, consistency), problemOfProjection)
    const items: Array<string> = []
    let bytes = 0
    let turnAtBytes = 0
    for (const { key, state } of found.value.items) {
      if (bytes > pageBytesMax) break
      if (bytes >= turnAtBytes) {
        yield* Effect.flatten(Turn)
        turnAtBytes = bytes + turnBytes
      }
      const item = JSON.stringify({ key, value: yield* shown(projection, state) })
      items.push(item)
      bytes += item.length
    }
    const last = found.value.items[items.length - 1]
    const hasMore = found.value.hasMore || items.length < found.value.items.length
    const next = last === undefined || !hasMore ? null : statesCursor(projection, last.key)
    const pathname = projectionPath(projection)
    const link = next === null ? {} : { link: nextLink({ pathname, params, cursor: next }) }
    return HttpServerResponse.text(bodyOf({ items }, next, undefined), {
      contentType: "application/json",
      headers: { ...readHeaders(found), ...link }
    })
  })

/** Encodes states. A schema encodes one state in one go, so other work has its turn before and between the steps. */
const answerState = Effect.fnUntraced(function* (
  projection: Folded<unknown>,
  state: unknown,
  headers: Readonly<Record<string, string>>
) {
  yield* Effect.flatten(Turn)
  const encoded = yield* shown(projection, state)
  yield* Effect.flatten(Turn)
  return HttpServerResponse.jsonUnsafe(encoded, { headers })
})

/** Encodes a state as JSON. A failure is the fault of the projection's code, not of the request. */
const shown = (projection: Folded<unknown>, state: unknown): Effect.Effect<Schema.Json, Problem> => {
  const encoded = encodeState(projection, state)
  if (Result.isSuccess(encoded)) return Effect.succeed(encoded.success)
  const { name } = projection
  return Effect.andThen(
    Effect.logError(`A state of the projection ${name} ${encoded.failure}`),
    Effect.fail(problem("projection-failed", `A state of ${name} ${encoded.failure}`, { projection: name }))
  )
}

const problemOfProjection = (failure: ProjectionReadFailure): Problem => failure.toProblem()

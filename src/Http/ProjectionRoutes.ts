/** Declares and serves projections: one state, states by key, pages of states, and how far each projection is. docs/http.md, "Projections". */
import { Clock, Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { signedIn } from "../Access/Rule.ts"
import type { Member } from "../Cluster/Member.ts"
import { notFound, type Problem, withHeaders } from "../Problem.ts"
import type { Folded, Keyed, Whole } from "../Projection/Definition.ts"
import type { ProjectionReadFailure, ProjectionStatus, Projections } from "../Projection/Projections.ts"
import { refusedRead } from "../Repository/Reading.ts"
import { CurrentCaller } from "./Authentication.ts"
import { AnswerTurn, Turn } from "./Body.ts"
import { nextLink } from "./Cursor.ts"
import { problems, readAnswerHeaders, readHeaderSchemas, readParameterSchemas } from "./ModelEndpoints.ts"
import { bodyOf, pageBytesMax } from "./Page.ts"
import { parseParams, refuseOthers } from "./Params.ts"
import { projectionPath, projectionsPath } from "./Paths.ts"
import { Cursor, Limit } from "./Patterns.ts"
import { parseStatesQuery, statesCursor } from "./ProjectionQuery.ts"
import { parseConsistency, readParameters } from "./ReadQuery.ts"
import { readHeaders } from "./RecordResponse.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { shownState } from "./ShownState.ts"

/** The parts of a projection that the document needs. Any declaration of a projection fits. */
export interface ApiProjection {
  readonly _tag: "Whole" | "Keyed"
  readonly name: string
  readonly codec: Schema.Top
}

const status = Schema.Struct({
  name: Schema.String,
  version: Schema.Int,
  index: Schema.Int,
  lag: Schema.Int,
  state: Schema.Literals(["following", "failed", "unavailable"])
}).annotate({ identifier: "lithair.ProjectionStatus" })

const failures = [
  "invalid-request",
  "no-quorum",
  "overloaded",
  "not-caught-up",
  "too-stale",
  "starting",
  "removed",
  "projection-failed",
  "projection-unavailable"
] as const

const endpointOf = ({ _tag, codec, name }: ApiProjection) => {
  const path = projectionPath({ name })
  const answer = <S extends Schema.Top>(body: S) =>
    HttpApiSchema.WithHeaders(body, { ...positionHeaderSchemas, ...readAnswerHeaders })
  if (_tag === "Whole") {
    return HttpApiEndpoint.get(name, path, {
      query: readParameterSchemas,
      headers: readHeaderSchemas,
      success: answer(codec),
      error: problems(failures)
    }).annotateMerge(OpenApi.annotations({ summary: `Read the projection ${name}` }))
  }
  const page = Schema.Struct({
    items: Schema.Array(Schema.Struct({ key: Schema.String, value: codec })),
    next: Schema.NullOr(Schema.String)
  })
  return HttpApiEndpoint.get(name, path, {
    query: {
      ...readParameterSchemas,
      key: Schema.optionalKey(Schema.String),
      limit: Schema.optionalKey(Limit),
      cursor: Schema.optionalKey(Cursor)
    },
    headers: readHeaderSchemas,
    success: answer(Schema.Union([page, codec])),
    error: problems([...failures, "not-found"])
  }).annotateMerge(
    OpenApi.annotations({
      summary: `Read the projection ${name}`,
      description: "A page of its states in the order of their keys. With `key`, only the state of that key."
    })
  )
}

/** Makes one group of the endpoints of a node's projections. */
export const projectionGroup = (projections: ReadonlyArray<ApiProjection>) =>
  // No model can take this name: a model's name starts with a letter.
  HttpApiGroup.make("_projections")
    .add(
      HttpApiEndpoint.get("status", projectionsPath, {
        success: HttpApiSchema.WithHeaders(Schema.Struct({ items: Schema.Array(status) }), positionHeaderSchemas),
        error: problems(["invalid-request", "overloaded"])
      }).annotateMerge(OpenApi.annotations({ summary: "How far each projection of this node is" })),
      ...projections.map(endpointOf)
    )
    .annotateMerge(OpenApi.annotations({ title: "Projections" }))

/** Fails unless the caller of the request may read a projection; without one, unless it has signed in where rules hold. */
export interface MayRead {
  (projection: Folded<unknown> | undefined): Effect.Effect<void, Problem>
  /** Whether it sees the status of every projection. */
  readonly isWhole: boolean
}

/** What a node's callers may read of its projections. */
export const mayReadOf = (member: Pick<Member["Service"], "policy" | "tables">): MayRead => {
  const check = (projection: Folded<unknown> | undefined) =>
    Effect.gen(function* () {
      const caller = yield* CurrentCaller
      const now = { policy: member.policy, tables: member.tables, nowMs: yield* Clock.currentTimeMillis }
      const name = projection?.name ?? "projections"
      const rule = projection === undefined ? signedIn : member.policy?.projections.get(projection.name)
      const denied = refusedRead(now, caller, { name, rule })
      if (denied !== undefined) return yield* Effect.fail(denied.toProblem())
    })
  return Object.assign(check, { isWhole: member.policy === undefined })
}

/** Encodes at most so many bytes of a page before other work has its turn. */
const turnBytes = 16 * 1024

/** Makes the routes of a node's projections. */
export const projectionRoutes = (
  projections: Projections["Service"],
  served: ReadonlyArray<Folded<unknown>>,
  mayRead: MayRead
) => [
  HttpRouter.route(
    "GET",
    projectionsPath,
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const params = yield* Effect.fromResult(parseParams(url))
      yield* Effect.fromResult(refuseOthers(params, []))
      const names = served.map(({ name }) => name)
      yield* mayRead(undefined)
      const statuses = projections.status().filter(({ name }) => mayRead.isWhole || names.includes(name))
      return HttpServerResponse.jsonUnsafe({ items: statuses.map(statusOf) })
    })
  ),
  ...served.map((projection) =>
    HttpRouter.route(
      "GET",
      projectionPath(projection),
      projection._tag === "Whole"
        ? readWhole(projections, projection, mayRead)
        : readKeyed(projections, projection, mayRead)
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

/**
 * Reads if the caller may. Otherwise the answer does not tell whether the projection goes on. The caller is judged again
 * once the node is as new as the read.
 */
const judged = <A>(
  projection: Folded<unknown>,
  mayRead: MayRead,
  read: Effect.Effect<A, ProjectionReadFailure>
): Effect.Effect<A, Problem> =>
  mayRead(projection).pipe(
    Effect.andThen(Effect.mapError(read, problemOfProjection)),
    Effect.tap(() => mayRead(projection))
  )

const readWhole = (projections: Projections["Service"], projection: Whole<unknown>, mayRead: MayRead) =>
  Effect.gen(function* () {
    const { consistency, params } = yield* asked
    yield* Effect.fromResult(refuseOthers(params, readParameters))
    const found = yield* judged(projection, mayRead, projections.get(projection, consistency))
    return yield* answerState(projection, found.value, readHeaders(found))
  })

const readKeyed = (projections: Projections["Service"], projection: Keyed<unknown>, mayRead: MayRead) =>
  Effect.gen(function* () {
    const { consistency, params } = yield* asked
    const query = yield* Effect.fromResult(parseStatesQuery(projection, params))
    if (query._tag === "Key") {
      const found = yield* judged(projection, mayRead, projections.getKey(projection, query.key, consistency))
      if (found.value === undefined) {
        return yield* withHeaders(notFound(`${projection.name} has no state for this key`), readHeaders(found))
      }
      return yield* answerState(projection, found.value, readHeaders(found))
    }
    const found = yield* judged(projection, mayRead, projections.page(projection, query, consistency))
    const items: Array<string> = []
    let bytes = 0
    let turnAtBytes = 0
    yield* Effect.flatten(AnswerTurn)
    for (const { key, state } of found.value.items) {
      if (bytes > pageBytesMax) break
      if (bytes >= turnAtBytes) {
        yield* Effect.flatten(Turn)
        turnAtBytes = bytes + turnBytes
      }
      const item = JSON.stringify({ key, value: yield* shownState(projection, state) })
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
  yield* Effect.flatten(AnswerTurn)
  const encoded = yield* shownState(projection, state)
  yield* Effect.flatten(Turn)
  return HttpServerResponse.jsonUnsafe(encoded, { headers })
})

const problemOfProjection = (failure: ProjectionReadFailure): Problem => failure.toProblem()

/** Declares the endpoints of projections for the OpenAPI document. ProjectionRoutes.ts has the handlers. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems, readAnswerHeaders, readHeaders, readParameters } from "./ModelEndpoints.ts"
import { projectionPath, projectionsPath } from "./Paths.ts"
import { Cursor, Limit } from "./Patterns.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

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
      query: readParameters,
      headers: readHeaders,
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
      ...readParameters,
      key: Schema.optionalKey(Schema.String),
      limit: Schema.optionalKey(Limit),
      cursor: Schema.optionalKey(Cursor)
    },
    headers: readHeaders,
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

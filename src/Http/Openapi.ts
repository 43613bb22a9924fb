/** The OpenAPI 3.1 document of a set of models. The endpoints of one model are in ModelEndpoints.ts. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { Any as Command } from "../Command/Declaration.ts"
import { problemMediaType } from "../Problem.ts"
import { commandGroups } from "./CommandEndpoints.ts"
import { type ApiModel, modelGroup } from "./ModelEndpoints.ts"
import { operationGroup } from "./OperationEndpoints.ts"
import { type ApiProjection, projectionGroup } from "./ProjectionEndpoints.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { transactionGroup } from "./TransactionEndpoints.ts"

/** An API whose groups are known at run time only. */
export type LithairApi = HttpApi.HttpApi<"lithair", HttpApiGroup.Constraint>

/** What the document says of itself. Lithair's own schemas have a dot in their names, so that no model can take their place. */
export interface ApiInfo {
  readonly title: string
  readonly version: string
  readonly description?: string
}

/** The API of these models, commands and projections, and of the node that serves them. */
export const makeApi = (
  models: ReadonlyArray<ApiModel>,
  info: ApiInfo,
  others: { readonly commands?: ReadonlyArray<Command>; readonly projections?: ReadonlyArray<ApiProjection> } = {},
  /** What stands before the paths of all but the node's own endpoints. */
  prefix?: `/${string}`
): LithairApi => {
  // The generics name every group: built in a loop they are lost, and this cast is the only one that says so.
  const { commands = [], projections = [] } = others
  const derived = [
    ...models.map(modelGroup),
    transactionGroup(models),
    ...commandGroups(commands, models),
    projectionGroup(projections),
    operationGroup
  ] as unknown as ReadonlyArray<HttpApiGroup.Top>
  const placed = prefix === undefined ? derived : derived.map((group) => group.prefix(prefix) as HttpApiGroup.Top)
  const groups = [...placed, nodeGroup] as unknown as [HttpApiGroup.Top, ...Array<HttpApiGroup.Top>]
  return HttpApi.make("lithair")
    .add(...groups)
    .annotateMerge(OpenApi.annotations({ ...info, transform: withProblemHeaders })) as unknown as LithairApi
}

/** What a problem may say in its headers. Declared once: a status of an endpoint declares headers for one body only. */
const problemHeaders = {
  "lithair-node": { required: true, schema: { type: "string" } },
  "lithair-leader": { required: false, schema: { type: "string" } },
  "lithair-term": { required: true, schema: { type: "string" } },
  "lithair-index": { required: true, schema: { type: "string" } },
  "idempotent-replayed": { required: false, schema: { type: "string", enum: ["true"] } },
  "retry-after": { required: false, schema: { type: "string" } }
}

/** The document, with the headers of all problems. */
const withProblemHeaders = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { paths } = spec as unknown as OpenApi.OpenAPISpec
  for (const operations of Object.values(paths)) {
    for (const { responses } of Object.values(operations) as ReadonlyArray<OpenApi.OpenAPISpecOperation>) {
      for (const response of Object.values(responses)) {
        if (response.content?.[problemMediaType] !== undefined) Object.assign(response, { headers: problemHeaders })
      }
    }
  }
  return spec
}

/** The document; the same value may be served for the life of the node. */
export const openApiDocument = (api: LithairApi): OpenApi.OpenAPISpec => OpenApi.fromApi(api)

const nodeStatus = Schema.Struct({
  clusterId: Schema.NullOr(Schema.String),
  nodeId: Schema.String,
  role: Schema.String,
  term: Schema.Int,
  leader: Schema.NullOr(Schema.String),
  commitIndex: Schema.Int,
  appliedIndex: Schema.Int,
  stateHash: Schema.String,
  stateHashDefinition: Schema.Int,
  stateSuspect: Schema.Boolean,
  stateDifference: Schema.NullOr(
    Schema.Struct({
      index: Schema.Int,
      members: Schema.Array(Schema.Struct({ id: Schema.String, definition: Schema.Int, hash: Schema.String })),
      outliers: Schema.Array(Schema.String)
    })
  ),
  nodes: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      address: Schema.String,
      role: Schema.String,
      voter: Schema.Boolean,
      matchIndex: Schema.NullOr(Schema.Int),
      lag: Schema.NullOr(Schema.Int),
      lastContactMs: Schema.NullOr(Schema.Number)
    })
  )
}).annotate({ identifier: "lithair.ClusterStatus" })

const health = Schema.Struct({
  status: Schema.String,
  reasons: Schema.optionalKey(Schema.Array(Schema.String)),
  checks: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, ok: Schema.Boolean, reason: Schema.optionalKey(Schema.String) }))
  )
}).annotate({ identifier: "lithair.Health" })
const unhealthy = health.pipe(HttpApiSchema.status(503))

// Named so that no model can take its place: a model's name starts with a letter.
const nodeGroup = HttpApiGroup.make("_node")
  .add(
    HttpApiEndpoint.get("livez", "/livez", { success: health }).annotateMerge(
      OpenApi.annotations({ summary: "Whether the node runs" })
    ),
    HttpApiEndpoint.get("readyz", "/readyz", {
      query: { verbose: Schema.optionalKey(Schema.String) },
      success: health,
      error: unhealthy
    }).annotateMerge(OpenApi.annotations({ summary: "Whether the node knows a leader and has caught up" })),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4" }))
    }).annotateMerge(OpenApi.annotations({ summary: "How the node stands, in numbers, for Prometheus" })),
    HttpApiEndpoint.get("cluster", "/_admin/api/cluster", {
      success: HttpApiSchema.WithHeaders(nodeStatus, positionHeaderSchemas)
    }).annotateMerge(OpenApi.annotations({ summary: "The cluster as this node sees it" }))
  )
  .annotateMerge(OpenApi.annotations({ title: "Node" }))

/** The OpenAPI 3.1 document of a set of models. The endpoints of one model are in ModelEndpoints.ts. */
import { HttpApi, type HttpApiGroup, OpenApi } from "effect/http-api"
import type { Any as Command } from "../Command/Declaration.ts"
import { problemMediaType } from "../Problem.ts"
import { commandGroups } from "./CommandEndpoints.ts"
import { type ApiModel, modelGroup } from "./ModelEndpoints.ts"
import { nodeGroups, restorePath } from "./NodeEndpoints.ts"
import { operationGroup } from "./OperationEndpoints.ts"
import { type ApiProjection, projectionGroup } from "./ProjectionEndpoints.ts"
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
  prefix?: `/${string}`,
  /** Whether one of the node's own endpoints is served where the document is; asked when it is written. */
  isServed: (path: string) => boolean = () => true
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
  const groups = [...placed, ...nodeGroups] as unknown as [HttpApiGroup.Top, ...Array<HttpApiGroup.Top>]
  return HttpApi.make("lithair")
    .add(...groups)
    .annotateMerge(
      OpenApi.annotations({ ...info, servers: [{ url: "/" }], transform: finish(isServed) })
    ) as unknown as LithairApi
}

/** What a problem may say in its headers. Declared once: a status of an endpoint declares headers for one body only. */
const problemHeaders = {
  "lithair-node": { required: true, schema: { type: "string" } },
  "lithair-leader": { required: false, schema: { type: "string" } },
  "lithair-term": { required: true, schema: { type: "string", pattern: "^[0-9]{1,15}$" } },
  "lithair-index": { required: true, schema: { type: "string", pattern: "^[0-9]{1,15}$" } },
  "idempotent-replayed": { required: false, schema: { type: "string", enum: ["true"] } },
  "retry-after": { required: false, schema: { type: "string" } }
}

/** The node's own endpoints: an application may leave them out, or mount them on another server. */
const nodePaths: ReadonlySet<string> = new Set(
  nodeGroups.flatMap(({ endpoints }) => Object.values(endpoints).map(({ path }) => path.replace(/\/:(\w+)/, "/{$1}")))
)

/** The document as it is served: with the headers of all problems, paths as they are, and no null twice. */
const finish =
  (isServed: (path: string) => boolean) =>
  (spec: Record<string, unknown>): Record<string, unknown> => {
    const { paths } = spec as unknown as OpenApi.OpenAPISpec
    for (const operations of Object.values(paths)) {
      for (const { responses } of Object.values(operations) as ReadonlyArray<OpenApi.OpenAPISpecOperation>) {
        for (const response of Object.values(responses)) {
          if (response.content?.[problemMediaType] !== undefined) Object.assign(response, { headers: problemHeaders })
        }
      }
    }
    const placed = Object.fromEntries(
      Object.entries(paths)
        .map(([path, operations]) => [restorePath(path), operations] as const)
        .filter(([path]) => !nodePaths.has(path) || isServed(path))
    )
    return nullOnce({ ...spec, paths: placed }) as Record<string, unknown>
  }

/** Alternatives of alternatives are one list, in which each stands once. */
const nullOnce = (json: unknown): unknown => {
  if (Array.isArray(json)) return json.map(nullOnce)
  if (typeof json !== "object" || json === null) return json
  const entries = Object.entries(json).map(([name, value]) => [name, nullOnce(value)] as const)
  const copy = Object.fromEntries(entries)
  if (!Array.isArray(copy.anyOf)) return copy
  const alternatives = copy.anyOf.flatMap((each: Record<string, unknown>) =>
    Array.isArray(each.anyOf) && Object.keys(each).length === 1 ? (each.anyOf as ReadonlyArray<unknown>) : [each]
  )
  const anyOf = [...new Map(alternatives.map((each) => [JSON.stringify(each), each])).values()]
  return { ...copy, anyOf }
}

/** The document; the same value may be served for the life of the node. */
export const openApiDocument = (api: LithairApi): OpenApi.OpenAPISpec => OpenApi.fromApi(api)

/** Builds the OpenAPI 3.1 document of a node. ModelEndpoints.ts declares the endpoints of one model. */
import { HttpApi, type HttpApiGroup, OpenApi } from "effect/http-api"
import type { Any as Command } from "../Command/Declaration.ts"
import { problemMediaType } from "../Problem.ts"
import type { Auth } from "./Authenticator.ts"
import { changesGroup } from "./ChangesEndpoints.ts"
import { commandGroups } from "./CommandRoutes.ts"
import { liveGroup } from "./LiveEndpoints.ts"
import { type ApiModel, modelGroup } from "./ModelEndpoints.ts"
import { nodeGroups, restorePath } from "./NodeEndpoints.ts"
import { operationGroup } from "./OperationRoutes.ts"
import { type ApiProjection, projectionGroup } from "./ProjectionRoutes.ts"
import { transactionGroup } from "./TransactionRoutes.ts"

type Taker = Pick<Auth<unknown>["authenticators"][number], "name" | "security">

/** An API whose groups are known only at run time. */
export type LithairApi = HttpApi.HttpApi<"lithair", HttpApiGroup.Constraint>

/** The title and version of the document. Lithair's own schemas have a dot in their names, so that no model can take them. */
export interface ApiInfo {
  readonly title: string
  readonly version: string
  readonly description?: string
}

/** Makes the API of these models, commands and projections, and of the node that serves them. */
export const makeApi = (
  models: ReadonlyArray<ApiModel>,
  info: ApiInfo,
  others: { readonly commands?: ReadonlyArray<Command>; readonly projections?: ReadonlyArray<ApiProjection> } = {},
  /** Prepended to all paths except those of the node's own endpoints. */
  prefix?: `/${string}`,
  /** Whether one of the node's own endpoints is served where the document is; asked when it is written. */
  isServed: (path: string) => boolean = () => true,
  /** How callers sign in, if they do. */
  takers: ReadonlyArray<Taker> = []
): LithairApi => {
  // The generics would name every group. A loop cannot keep them, hence this cast, the only one.
  const { commands = [], projections = [] } = others
  const derived = [
    ...models.map(modelGroup),
    changesGroup(models),
    liveGroup(models),
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
      OpenApi.annotations({
        ...info,
        servers: [{ url: "/" }],
        transform: finish(isServed, `${prefix ?? ""}/api/`, takers)
      })
    ) as unknown as LithairApi
}

/** The headers of problems. Declared here because an endpoint can declare headers for only one body of a status. */
const problemHeaders = {
  "lithair-node": { required: true, schema: { type: "string" } },
  "lithair-leader": { required: false, schema: { type: "string" } },
  "lithair-term": { required: true, schema: { type: "string", pattern: "^[0-9]{1,16}$" } },
  "lithair-index": { required: true, schema: { type: "string", pattern: "^[0-9]{1,16}$" } },
  "idempotent-replayed": { required: false, schema: { type: "string", enum: ["true"] } },
  "retry-after": { required: false, schema: { type: "string" } }
}

/** The node's own endpoints: an application may leave them out, or mount them on another server. */
const nodePaths: ReadonlySet<string> = new Set(
  nodeGroups.flatMap(({ endpoints }) =>
    Object.values(endpoints).map(({ path }) => path.replaceAll(/\/:(\w+)/g, "/{$1}"))
  )
)

/** Finishes the document: adds the headers of problems, restores paths, and removes repeated nulls. */
const finish =
  (isServed: (path: string) => boolean, guarded: string, takers: ReadonlyArray<Taker>) =>
  (spec: Record<string, unknown>): Record<string, unknown> => {
    const { components, paths } = spec as unknown as OpenApi.OpenAPISpec
    // A rule may let anonymous callers in, so each scheme is one of several ways, and none is another.
    const security = takers.length === 0 ? {} : { security: [{}, ...takers.map(({ name }) => ({ [name]: [] }))] }
    for (const [path, operations] of Object.entries(paths)) {
      if (path.startsWith(guarded)) for (const each of Object.values(operations)) Object.assign(each, security)
    }
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
    const schemes = Object.fromEntries(takers.map(({ name, security }) => [name, schemeOf(security)]))
    const signIn = takers.length === 0 ? {} : { components: { ...components, securitySchemes: schemes } }
    return nullOnce({ ...spec, ...signIn, paths: placed }) as Record<string, unknown>
  }

const schemeOf = (security: Taker["security"]) =>
  security._tag === "Http"
    ? { type: "http", scheme: security.scheme.toLowerCase() }
    : { type: "apiKey", in: security.in, name: security.key }

/** Flattens nested alternatives into one list, each once. */
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

/** Renders the document. It does not change while the node runs. */
export const openApiDocument = (api: LithairApi): OpenApi.OpenAPISpec => OpenApi.fromApi(api)

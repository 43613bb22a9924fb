/** What one model looks like over HTTP: its endpoints, declared. Handlers are elsewhere. HTTP contract, "Endpoints". */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { FieldSchema } from "../Model.ts"
import { patchMediaTypes } from "./Body.ts"
import { isListParameter } from "./ListQuery.ts"
import type { ProblemName } from "./Problem.ts"
import { schemaOfProblem } from "./ProblemSchema.ts"

/** What the document must know of a model; structural, so that any declaration of a model fits. */
export interface ApiModel {
  readonly name: string
  readonly path: string
  readonly idField: string
  readonly fields: Readonly<Record<string, FieldSchema>>
  /** Fields that stay on the node that wrote them: other nodes answer the record without them. */
  readonly localFields?: ReadonlyArray<string>
}

/** The headers of every answer of the API. */
export const positionHeaderSchemas = {
  "lithair-node": Schema.String,
  "lithair-leader": Schema.optionalKey(Schema.String),
  "lithair-term": Schema.Int,
  "lithair-index": Schema.Int
}

/** The endpoints of a model as one group. */
export const modelGroup = (model: ApiModel) => {
  const { body, create, list, patch } = schemasOf(model)
  const collection = `/api/${model.path}` as const
  const item = `/api/${model.path}/:id` as const
  const params = { id: Schema.String }
  const answer = (status: number) =>
    HttpApiSchema.WithHeaders(body.pipe(HttpApiSchema.status(status)), {
      ...positionHeaderSchemas,
      etag: Schema.String
    })
  const created = HttpApiSchema.WithHeaders(body.pipe(HttpApiSchema.status(201)), {
    ...positionHeaderSchemas,
    etag: Schema.String,
    location: Schema.String
  })
  const describe = (description: string) => OpenApi.annotations({ description })

  return HttpApiGroup.make(model.name).add(
    HttpApiEndpoint.get("list", collection, {
      query: listParameters(model),
      headers: readHeaders,
      success: HttpApiSchema.WithHeaders(list, { ...positionHeaderSchemas, link: Schema.optionalKey(Schema.String) }),
      error: problems(readProblems)
    }).annotateMerge(
      describe(`Filters are \`field=op.value\`, op one of eq neq gt gte lt lte in like is; several are joined by AND.`)
    ),
    HttpApiEndpoint.post("create", collection, {
      headers: writeHeaders,
      payload: create,
      success: created,
      error: problems([...writeProblems, ...bodyProblems, "already-exists", "unique-violation", "command-only"])
    }).annotateMerge(describe("The id is generated (UUIDv7) unless given.")),
    HttpApiEndpoint.get("get", item, {
      params,
      query: readParameters,
      headers: { ...readHeaders, "if-none-match": Schema.optionalKey(Schema.String) },
      success: [answer(200), HttpApiSchema.Empty(304)],
      error: problems(readProblems)
    }),
    HttpApiEndpoint.put("put", item, {
      params,
      headers: { ...conditionalHeaders, "if-none-match": Schema.optionalKey(Schema.String) },
      payload: create,
      success: [answer(200), created],
      error: problems([...writeProblems, ...bodyProblems, "version-conflict", "unique-violation", "command-only"])
    }).annotateMerge(describe("The whole record, without the id or with the same one; creates it when there is none.")),
    HttpApiEndpoint.patch("patch", item, {
      params,
      headers: conditionalHeaders,
      payload: patchMediaTypes.map((contentType) => patch.pipe(HttpApiSchema.asJson({ contentType }))),
      success: answer(200),
      error: problems([...writeProblems, ...bodyProblems, "version-conflict", "unique-violation", "command-only"])
    }).annotateMerge(describe("A merge patch (RFC 7396): null removes an optional field.")),
    HttpApiEndpoint.delete("delete", item, {
      params,
      headers: conditionalHeaders,
      success: HttpApiSchema.NoContent,
      error: problems([...writeProblems, "version-conflict", "command-only"])
    })
  )
}

const readParameters = {
  consistency: Schema.optionalKey(Schema.Literals(["linearizable", "session", "local"])),
  "max-stale": Schema.optionalKey(Schema.Int)
}
const readHeaders = { "lithair-min-index": Schema.optionalKey(Schema.Int) }
const writeHeaders = { "idempotency-key": Schema.optionalKey(Schema.String) }
const conditionalHeaders = { ...writeHeaders, "if-match": Schema.optionalKey(Schema.String) }

const readProblems = [
  "invalid-request",
  "not-found",
  "no-quorum",
  "not-caught-up",
  "too-stale",
  "upgrade-required"
] as const
const bodyProblems = ["too-large", "unsupported-media-type"] as const
const writeProblems = [
  "invalid-request",
  "not-found",
  "key-reused",
  "no-quorum",
  "overloaded",
  "draining",
  "upgrade-required",
  "unknown-outcome",
  "storage-full"
] as const

/** The bodies of these problems, each once, for an endpoint's `error`. */
export const problems = (names: ReadonlyArray<ProblemName>): ReadonlyArray<Schema.Top> =>
  [...new Set(names)].map(schemaOfProblem)

const schemasOf = (model: ApiModel) => {
  const entries = Object.entries(model.fields)
  const locals = model.localFields ?? []
  const shape = (field: (name: string, schema: FieldSchema) => Schema.Top) =>
    Schema.Struct(Object.fromEntries(entries.map(([name, schema]) => [name, field(name, schema)])))
  const body = shape((name, schema) => (locals.includes(name) ? optional(schema) : schema)).annotate({
    identifier: model.name
  })
  return {
    body,
    create: shape((name, schema) => (name === model.idField ? optional(schema) : schema)).annotate({
      identifier: `${model.name}.create`
    }),
    // Only an optional field can be removed, so only there does null mean something.
    patch: shape((_, schema) =>
      isOptional(schema) ? Schema.optionalKey(Schema.NullOr(schema)) : Schema.optionalKey(schema)
    ),
    list: Schema.Struct({
      items: Schema.Array(body),
      next: Schema.NullOr(Schema.String),
      total: Schema.optionalKey(Schema.Int)
    })
  }
}

const listParameters = (model: ApiModel): Record<string, Schema.optionalKey<Schema.Codec<unknown, string>>> => {
  const text: Schema.Codec<unknown, string> = Schema.String
  const names = Object.keys(model.fields).map((name) => (isListParameter(name) ? `field.${name}` : name))
  const all = [...names, "order", "limit", "cursor", "select", "max-stale"]
  return {
    ...Object.fromEntries(all.map((name) => [name, Schema.optionalKey(text)])),
    count: Schema.optionalKey(Schema.Literal("exact")),
    consistency: readParameters.consistency
  }
}

const isOptional = (schema: Schema.Top): boolean => schema.ast.context?.isOptional === true

const optional = (schema: FieldSchema): Schema.Top => (isOptional(schema) ? schema : Schema.optionalKey(schema))

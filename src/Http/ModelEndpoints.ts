/** Declares the endpoints of one model for the OpenAPI document. ModelRoutes.ts has the handlers. docs/http.md, "Endpoints". */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { FieldSchema } from "../Model/Descriptor.ts"
import type { GuardedFields } from "../Model/GuardedFields.ts"
import { jsonCodec } from "../Model/JsonCodec.ts"
import { patchOf } from "../Model/Patch.ts"
import type { ProblemName } from "../Problem.ts"
import { patchMediaTypes } from "./Body.ts"
import { isListParameter } from "./ListQuery.ts"
import { collectionPath } from "./Paths.ts"

import {
  Condition,
  Count,
  CreateOnly,
  Cursor,
  filter,
  isSingle,
  Key,
  Limit,
  Moment,
  order,
  select
} from "./Patterns.ts"

import { schemaOfProblem, schemaOfRule } from "./ProblemSchema.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { operationsMax } from "./TransactionRequest.ts"

/** The parts of a model that the document needs. Any declaration of a model fits. */
export interface ApiModel {
  readonly name: string
  readonly path: string
  readonly idField: string
  /** Whether the cluster gives an id to a record that has none; true by default. */
  readonly ids?: { readonly areMade: boolean }
  readonly fields: Readonly<Record<string, FieldSchema>>
  /** Fields that stay on the node that wrote them. Other nodes send the record without them. */
  readonly localFields?: ReadonlyArray<string>
  /** Fields that the cluster sets if a new record has none. */
  readonly guarded?: Pick<GuardedFields, "owner" | "commandOnly"> | undefined
  /** The problems that the model's rules can answer with. */
  readonly ruleNames?: ReadonlyArray<string>
}

/** Makes one group of a model's endpoints. */
export const modelGroup = (model: ApiModel) => {
  const { body, create, history, list, patch } = schemasOf(model)
  const collection = collectionPath(model)
  const item = `${collection}/:id` as const
  const params = { id: jsonCodec(model.fields[model.idField] ?? Schema.String) as Schema.Codec<unknown, string> }
  const rules = (model.ruleNames ?? []).map(schemaOfRule)
  const answer = <H extends Schema.Struct.Fields>(status: number, headers: H) =>
    HttpApiSchema.WithHeaders(body.pipe(HttpApiSchema.status(status)), {
      ...positionHeaderSchemas,
      etag: Schema.String,
      ...headers
    })
  const read = answer(200, readAnswerHeaders)
  const changed = answer(200, writeAnswerHeaders)
  const created = answer(201, { ...writeAnswerHeaders, location: Schema.String })
  const describe = (summary: string, description: string) => OpenApi.annotations({ summary, description })

  return HttpApiGroup.make(model.name).add(
    HttpApiEndpoint.get("list", collection, {
      query: listParameters(model),
      headers: readHeaderSchemas,
      success: HttpApiSchema.WithHeaders(list, {
        ...positionHeaderSchemas,
        ...readAnswerHeaders,
        link: Schema.optionalKey(Schema.String)
      }),
      error: problems(readProblems)
    }).annotateMerge(
      describe(
        `List ${model.path}`,
        `Filters are \`field=op.value\`, op one of eq neq gt gte lt lte in like is; several are joined by AND.`
      )
    ),
    HttpApiEndpoint.post("create", collection, {
      headers: writeHeaders,
      payload: create,
      success: created,
      error: [...problems([...writeProblems, ...bodyProblems, "already-exists", ...recordProblems]), ...rules]
    }).annotateMerge(
      describe(`Create a ${model.name}`, "The cluster generates an id (UUIDv7) if the record has none.")
    ),
    HttpApiEndpoint.post("bulk", `${collection}/_bulk`, {
      headers: writeHeaders,
      payload: Schema.NonEmptyArray(create).check(Schema.isMaxLength(operationsMax)),
      success: HttpApiSchema.WithHeaders(Schema.Array(body).pipe(HttpApiSchema.status(201)), {
        ...positionHeaderSchemas,
        ...writeAnswerHeaders
      }),
      error: [...problems([...writeProblems, ...bodyProblems, "already-exists", ...recordProblems]), ...rules]
    }).annotateMerge(
      describe(
        `Create many ${model.path}`,
        "Creates all of them or none, as one entry. `errors[].path` begins with the position of the record."
      )
    ),
    HttpApiEndpoint.get("get", item, {
      params,
      query: { ...readParameterSchemas, at: Schema.optionalKey(Moment) },
      headers: {
        ...readHeaderSchemas,
        "if-match": Schema.optionalKey(Condition),
        "if-none-match": Schema.optionalKey(Condition)
      },
      success: [
        read,
        HttpApiSchema.WithHeaders(HttpApiSchema.Empty(304), {
          ...positionHeaderSchemas,
          etag: Schema.String,
          ...readAnswerHeaders
        })
      ],
      error: problems([...readProblems, "version-conflict", "history-gone", "record-erased"])
    }).annotateMerge(
      describe(
        `Read a ${model.name}`,
        "Linearizable on any node, unless the request asks for less. With `at`, as it was: without local fields."
      )
    ),
    HttpApiEndpoint.get("history", `${item}/history`, {
      params,
      query: { ...readParameterSchemas, limit: Schema.optionalKey(Limit), cursor: Schema.optionalKey(Cursor) },
      headers: readHeaderSchemas,
      success: HttpApiSchema.WithHeaders(history, {
        ...positionHeaderSchemas,
        ...readAnswerHeaders,
        link: Schema.optionalKey(Schema.String)
      }),
      error: problems(readProblems)
    }).annotateMerge(
      describe(
        `Read the history of a ${model.name}`,
        "Its versions, oldest first, also of a deleted record. A page may be empty and have a `next`. `complete` says whether the first version is among them."
      )
    ),
    HttpApiEndpoint.put("put", item, {
      params,
      headers: { ...conditionalHeaders, "if-none-match": Schema.optionalKey(CreateOnly) },
      payload: create,
      success: [changed, created],
      error: [...problems([...writeProblems, ...bodyProblems, ...changeProblems, ...recordProblems]), ...rules]
    }).annotateMerge(
      describe(
        `Replace or create a ${model.name}`,
        "Send the whole record, with the same id or without one (another id is 400). Creates the record if there is none."
      )
    ),
    HttpApiEndpoint.patch("patch", item, {
      params,
      headers: conditionalHeaders,
      payload: patchMediaTypes.map((contentType) => patch.pipe(HttpApiSchema.asJson({ contentType }))),
      success: changed,
      error: [...problems([...writeProblems, ...bodyProblems, ...changeProblems, ...recordProblems]), ...rules]
    }).annotateMerge(
      describe(
        `Change a ${model.name}`,
        "A merge patch (RFC 7396): null removes an optional field, and sets a required field to null if it allows null. The patch is a 400 if its id differs from the path's, or if the result does not fit the model."
      )
    ),
    HttpApiEndpoint.delete("delete", item, {
      params,
      headers: conditionalHeaders,
      success: HttpApiSchema.WithHeaders(HttpApiSchema.NoContent, {
        ...positionHeaderSchemas,
        "idempotent-replayed": writeAnswerHeaders["idempotent-replayed"]
      }),
      // A deletion's cascade can be too large.
      error: problems([...writeProblems, ...changeProblems, "command-only", "referenced", "too-large"])
    }).annotateMerge(
      describe(`Delete a ${model.name}`, "If a record with the same id is created later, its versions continue.")
    )
  )
}

/** The parameters by which every read can say how new its answer must be. */
export const readParameterSchemas = {
  consistency: Schema.optionalKey(Schema.Literals(["linearizable", "session", "local"])),
  "max-stale": Schema.optionalKey(Count.annotate({ description: "In ms, with `consistency=local` alone; else 400" }))
}
export const readHeaderSchemas = { "lithair-min-index": Schema.optionalKey(Count) }
export const writeHeaders = { "idempotency-key": Schema.optionalKey(Key) }
const conditionalHeaders = { ...writeHeaders, "if-match": Schema.optionalKey(Condition) }

/** Headers of answers: the age of a local read; that the request was a copy; that this node lost its local part. */
export const readAnswerHeaders = { "lithair-stale-ms": Schema.optionalKey(Count) }
export const writeAnswerHeaders = {
  "idempotent-replayed": Schema.optionalKey(Schema.Literal("true")),
  "lithair-local": Schema.optionalKey(Schema.Literal("lost"))
}

/** The problems of a read. */
export const readProblems = [
  "invalid-request",
  "not-found",
  "no-quorum",
  "overloaded",
  "draining",
  "not-caught-up",
  "too-stale",
  "starting",
  "removed",
  "record-unreadable",
  "upgrade-required"
] as const
export const bodyProblems = ["request-timeout", "too-large", "unsupported-media-type"] as const
export const writeProblems = [
  "invalid-request",
  "not-found",
  "key-reused",
  "operation-closed",
  "operation-expired",
  "key-quota",
  "no-quorum",
  "overloaded",
  "draining",
  "removed",
  "record-unreadable",
  "upgrade-pending",
  "upgrade-required",
  "unknown-outcome",
  "storage-full"
] as const

/** Problems of a valid record, and of a change to a record that exists. */
export const recordProblems = ["unique-violation", "reference-missing", "command-only"] as const
export const changeProblems = ["version-conflict", "append-only"] as const

/** Problems of an operation on any of these models, with the models' rules. */
export const operationProblems = (models: ReadonlyArray<ApiModel>): ReadonlyArray<Schema.Top> => {
  const own = problems([...writeProblems, ...bodyProblems, ...recordProblems, ...changeProblems, "already-exists"])
  const rules = models.flatMap(({ ruleNames = [] }) => ruleNames).map(schemaOfRule)
  return [...new Set([...own, ...problems(["rule-broken", "referenced"]), ...rules])]
}

/** These problems for an endpoint's `error`, each once, and the problems that any endpoint can have. */
export const problems = (names: ReadonlyArray<ProblemName>): ReadonlyArray<Schema.Top> =>
  [...new Set<ProblemName>([...names, ...anywhere])].map(schemaOfProblem)

/** Problems that any request can meet: of its credential, of an open node, of limits by caller, and of the node itself. */
const anywhere = [
  "unauthenticated",
  "forbidden",
  "open-mode",
  "too-many-requests",
  "auth-unavailable",
  "internal"
] as const

const schemasOf = (model: ApiModel) => {
  const entries = Object.entries(model.fields)
  const locals = model.localFields ?? []
  const { commandOnly = [], owner = "" } = model.guarded ?? {}
  const set = [...commandOnly, owner]
  const shape = (field: (name: string, schema: FieldSchema) => Schema.Top) =>
    Schema.Struct(Object.fromEntries(entries.map(([name, schema]) => [name, jsonCodec(field(name, schema))])))
  const body = shape((name, schema) => (locals.includes(name) ? optional(schema) : schema)).annotate({
    identifier: model.name
  })
  return {
    body,
    create: shape((name, schema) =>
      (name === model.idField && model.ids?.areMade !== false) || set.includes(name) ? optional(schema) : schema
    ).annotate({
      identifier: `${model.name}.create`
    }),
    patch: shape((_, schema) => patchOf(schema)),
    history: Schema.Struct({
      items: Schema.Array(
        Schema.Struct({
          version: Schema.Int,
          index: Schema.Int,
          at: Schema.String,
          actor: Schema.optionalKey(Schema.String),
          event: Schema.Literals(["created", "updated", "deleted"]),
          // Present after a restore, if only an archived state has the version: `at` is the time of that state.
          ofState: Schema.optionalKey(Schema.Literal(true)),
          // The replicated fields; of a deletion, the last record. Absent if they were erased.
          data: Schema.optionalKey(body),
          erased: Schema.optionalKey(Schema.Literal(true))
        })
      ),
      next: Schema.NullOr(Schema.String),
      complete: Schema.Boolean
    }),
    list: Schema.Struct({
      // With `select`, each record has only the selected fields.
      items: Schema.Array(Schema.Union([body, shape((_, schema) => optional(schema))])),
      // With `versions=true`: the version of each record, in the same order.
      versions: Schema.optionalKey(Schema.Array(Schema.Int)),
      next: Schema.NullOr(Schema.String),
      total: Schema.optionalKey(Schema.Int)
    })
  }
}

/** The parameters of a list. */
export const listParameters = (model: ApiModel): Record<string, Schema.optionalKey<Schema.Codec<unknown, string>>> => {
  const names = Object.keys(model.fields)
  const filters = Object.entries(model.fields).map(([name, schema]) => [
    isListParameter(name) ? `field.${name}` : name,
    Schema.optionalKey(filter(name, schema))
  ])
  return {
    ...Object.fromEntries(filters),
    order: Schema.optionalKey(order(names.filter((name) => isSingle(model.fields[name]!)))),
    limit: Schema.optionalKey(Limit),
    cursor: Schema.optionalKey(Cursor),
    select: Schema.optionalKey(select(names)),
    "max-stale": readParameterSchemas["max-stale"],
    count: Schema.optionalKey(Schema.Literal("exact")),
    versions: Schema.optionalKey(Schema.Literal("true")),
    consistency: readParameterSchemas.consistency
  }
}

const isOptional = (schema: Schema.Top): boolean => schema.ast.context?.isOptional === true

const optional = (schema: FieldSchema): Schema.Top => (isOptional(schema) ? schema : Schema.optionalKey(schema))

/** Declares live queries for the OpenAPI document. LiveRoutes.ts serves them. docs/live.md. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { queriesOfStreamMaxCount } from "../Live/Bounds.ts"
import {
  type ApiModel,
  bodyProblems,
  listParameters,
  problems,
  readHeaderSchemas,
  readParameterSchemas,
  readProblems
} from "./ModelEndpoints.ts"
import { livePath, liveQueriesPath } from "./Paths.ts"
import { Count } from "./Patterns.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

const headers = { ...readHeaderSchemas, "last-event-id": Schema.optionalKey(Count) }

const events = HttpApiSchema.WithHeaders(
  Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
  positionHeaderSchemas
)

const failures = [...readProblems, "too-large"] as const

const description =
  "Server-sent events: `page` with `{index, staleMs?, items, next}`; then `diff` with `{index, staleMs?, put, remove, next}`: remove the records in `remove` and `put`, then insert those of `put` in order, each behind `after`. `bookmark` with `{index, staleMs?}` comes at least every 15 s, and `end` with `{problem}`. Send the id of the last event as `Last-Event-ID` to any node: the first page is not older."

/** Declares the live query of each model, and several on one stream. No model can take the name of this group. */
export const liveGroup = (models: ReadonlyArray<ApiModel>) =>
  HttpApiGroup.make("_live")
    .add(
      HttpApiEndpoint.post("liveQueries", liveQueriesPath, {
        query: readParameterSchemas,
        headers,
        payload: Schema.Struct({
          queries: Schema.Record(Schema.String, Schema.String).annotate({
            description: `Paths of at most ${queriesOfStreamMaxCount} lists, as in \`/api/products?limit=20\`, by keys of 1 to 64 visible ASCII characters`
          })
        }),
        success: events,
        error: problems([...failures, ...bodyProblems])
      }).annotateMerge(
        OpenApi.annotations({
          summary: "Keep several lists right",
          description: `${description} Each \`page\` and \`diff\` has the \`key\` of its query. \`ended\` with \`{key, problem}\` ends one query alone.`
        })
      ),
      ...models.map((model) => {
        const { count: _, ...query } = listParameters(model)
        return HttpApiEndpoint.get(`live ${model.name}`, livePath(model), {
          query,
          headers,
          success: events,
          error: problems(failures)
        }).annotateMerge(OpenApi.annotations({ summary: `Keep a list of ${model.path} right`, description }))
      })
    )
    .annotateMerge(OpenApi.annotations({ title: "Live queries" }))

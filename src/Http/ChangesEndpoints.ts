/** Declares the streams of committed changes for the OpenAPI document. ChangeRoutes.ts serves them. docs/http.md, "Changes". */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { type ApiModel, problems } from "./ModelEndpoints.ts"
import { allChangesPath, changesPath } from "./Paths.ts"
import { modelPaths, Position } from "./Patterns.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

const query = {
  after: Schema.optionalKey(Position),
  initial: Schema.optionalKey(
    Schema.Literal("true").annotate({ description: "Begin with the records of one state. It takes no `after`" })
  )
}
const headers = { "last-event-id": Schema.optionalKey(Position) }

const events = HttpApiSchema.WithHeaders(
  Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
  positionHeaderSchemas
)

const failures = [
  "invalid-request",
  "not-found",
  "changes-gone",
  "no-quorum",
  "overloaded",
  "draining",
  "starting",
  "removed"
] as const

const description =
  "Server-sent events: `created`, `updated` and `deleted` with `{index, at, model, id, version, record}`, `erased` with `{index, at, model, id}`, `record` of a first state or of a record that the caller may read now, `left` with `{index, model, id}` of one that it may not read any more, `bookmark` with `{index, staleMs?, initialEnd?}` at least every 15 s, and `end` with `{problem}`. The id of each is a position: `Last-Event-ID` or `after` resumes after it, on any node."

/** Declares the stream of each model, and that of several. No model can take the name of this group. */
export const changesGroup = (models: ReadonlyArray<ApiModel>) =>
  HttpApiGroup.make("_changes")
    .add(
      HttpApiEndpoint.get("followSeveral", allChangesPath, {
        query: { ...query, models: modelPaths(models.map(({ path }) => path)) },
        headers,
        success: events,
        error: problems(failures)
      }).annotateMerge(OpenApi.annotations({ summary: "Follow the changes of several models", description })),
      ...models.map((model) =>
        HttpApiEndpoint.get(`follow ${model.name}`, changesPath(model), {
          query,
          headers,
          success: events,
          error: problems(failures)
        }).annotateMerge(OpenApi.annotations({ summary: `Follow the changes of ${model.path}`, description }))
      )
    )
    .annotateMerge(OpenApi.annotations({ title: "Changes" }))

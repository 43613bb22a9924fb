/** Declares the endpoints that a node has beside its API and its administration: health, metrics and documents. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { adminGroup } from "./AdminEndpoints.ts"
import { said } from "./Endpoints.ts"
import { problems } from "./ModelEndpoints.ts"

const health = Schema.Struct({
  status: Schema.String,
  reasons: Schema.optionalKey(Schema.Array(Schema.String)),
  checks: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, ok: Schema.Boolean, reason: Schema.optionalKey(Schema.String) }))
  )
}).annotate({ identifier: "lithair.Health" })
const unhealthy = health.pipe(HttpApiSchema.status(503))

const page = (contentType: string) => Schema.String.pipe(HttpApiSchema.asText({ contentType }))

// No model can take the name of a group: a model's name starts with a letter.
const node = HttpApiGroup.make("_node")
  .add(
    HttpApiEndpoint.get("livez", "/livez", { success: health }).annotateMerge(said("Whether the node runs")),
    HttpApiEndpoint.get("readyz", "/readyz", {
      query: { verbose: Schema.optionalKey(Schema.String) },
      success: health,
      error: unhealthy
    }).annotateMerge(said("Whether the node knows a leader and has caught up")),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: page("text/plain; version=0.0.4"),
      error: problems([])
    }).annotateMerge(said("The node's metrics, for Prometheus")),
    HttpApiEndpoint.get("document", "/openapi.json", {
      success: Schema.Record(Schema.String, Schema.Unknown).annotate({ identifier: "lithair.Document" }),
      error: problems(["overloaded", "removed"])
    }).annotateMerge(said("This document")),
    HttpApiEndpoint.get("docs", "/docs", {
      success: page("text/html; charset=utf-8"),
      error: problems(["overloaded", "removed"])
    }).annotateMerge(said("This document, for people"))
  )
  .annotateMerge(OpenApi.annotations({ title: "Node" }))

/** The endpoints that every node has. */
export const nodeGroups = [node, adminGroup] as const

/** Restores colons in paths: a colon starts a parameter only after a slash. */
export const restorePath = (path: string): string => path.replace(/([^/])\{(\w+)\}/g, "$1:$2")

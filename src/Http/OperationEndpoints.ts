/** What asking for an operation looks like over HTTP: its endpoints, declared. Handlers are in OperationRoutes.ts. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "./ModelEndpoints.ts"
import { OperationAnswer } from "./OperationAnswer.ts"
import { operationsPath } from "./Paths.ts"
import { Key } from "./Patterns.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

const path = `${operationsPath}/:key` as const
const params = { key: Key }
const success = HttpApiSchema.WithHeaders(OperationAnswer, positionHeaderSchemas)

// Named so that no model can take its place: a model's name starts with a letter.
export const operationGroup = HttpApiGroup.make("_operations")
  .add(
    HttpApiEndpoint.get("ask", path, {
      params,
      success,
      error: problems(["invalid-request", "no-quorum", "overloaded", "draining", "removed", "upgrade-required"])
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What became of the request with this idempotency key",
        description:
          "`committed` with the status and body that it was answered with, `pending`, `absent` or `expired`. Linearizable."
      })
    ),
    HttpApiEndpoint.delete("close", path, {
      params,
      success,
      error: problems([
        "invalid-request",
        "no-quorum",
        "overloaded",
        "draining",
        "removed",
        "upgrade-required",
        "storage-full",
        "unknown-outcome"
      ])
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Close this idempotency key",
        description: "Where nothing became of it, no copy of the request is done after this. Answers what became of it."
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Operations" }))

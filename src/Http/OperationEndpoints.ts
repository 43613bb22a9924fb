/** Declares the endpoints of operations for the OpenAPI document. OperationRoutes.ts has the handlers. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "./ModelEndpoints.ts"
import { OperationAnswer } from "./OperationAnswer.ts"
import { operationsPath } from "./Paths.ts"
import { Key } from "./Patterns.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

const path = `${operationsPath}/:key` as const
const params = { key: Key }
const success = HttpApiSchema.WithHeaders(OperationAnswer, positionHeaderSchemas)

// No model can take this name: a model's name starts with a letter.
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
          "`committed` with the status and body of its answer, `pending`, `absent` or `expired`. Linearizable."
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
        description:
          "If the request was not done, no copy of it will be done from now on. Answers with the outcome of the request."
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Operations" }))

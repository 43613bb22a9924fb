/** What transactions look like over HTTP: the endpoint, declared. The handler is in Transactions.ts. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import {
  bodyProblems,
  changeProblems,
  positionHeaderSchemas,
  problems,
  recordProblems,
  writeAnswerHeaders,
  writeHeaders,
  writeProblems
} from "./ModelEndpoints.ts"
import { TransactionAnswer, TransactionBody } from "./TransactionRequest.ts"

/** Named so that no model can take its place: a model's name starts with a letter. */
export const transactionGroup = HttpApiGroup.make("_tx")
  .add(
    HttpApiEndpoint.post("transact", "/api/_tx", {
      headers: writeHeaders,
      payload: TransactionBody,
      success: HttpApiSchema.WithHeaders(TransactionAnswer, { ...positionHeaderSchemas, ...writeAnswerHeaders }),
      error: problems([
        ...writeProblems,
        ...bodyProblems,
        ...recordProblems,
        ...changeProblems,
        "already-exists",
        "rule-broken",
        "referenced"
      ])
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change several records",
        description: "All or none, as one entry, each operation seeing those before it; a problem names its `opIndex`."
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Transactions" }))

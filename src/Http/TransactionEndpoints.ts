/** What transactions look like over HTTP: the endpoint, declared. The handler is in Transactions.ts. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { type ApiModel, operationProblems, writeAnswerHeaders, writeHeaders } from "./ModelEndpoints.ts"
import { transactionPath } from "./Paths.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { TransactionAnswer } from "./TransactionAnswer.ts"
import { TransactionBody } from "./TransactionRequest.ts"

/** Named so that no model can take its place: a model's name starts with a letter. */
export const transactionGroup = (models: ReadonlyArray<ApiModel>) =>
  HttpApiGroup.make("_tx")
    .add(
      HttpApiEndpoint.post("transact", transactionPath, {
        headers: writeHeaders,
        payload: TransactionBody,
        success: HttpApiSchema.WithHeaders(TransactionAnswer, { ...positionHeaderSchemas, ...writeAnswerHeaders }),
        error: operationProblems(models)
      }).annotateMerge(
        OpenApi.annotations({
          summary: "Change several records",
          description:
            "All or none, as one entry, each operation seeing those before it; a problem names its `opIndex`."
        })
      )
    )
    .annotateMerge(OpenApi.annotations({ title: "Transactions" }))

/** Declares the endpoint of transactions for the OpenAPI document. Transactions.ts has the handler. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { type ApiModel, operationProblems, writeAnswerHeaders, writeHeaders } from "./ModelEndpoints.ts"
import { transactionPath } from "./Paths.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { TransactionAnswer } from "./TransactionAnswer.ts"
import { TransactionBody } from "./TransactionRequest.ts"

/** No model can take the name of this group: a model's name starts with a letter. */
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
            "Does all operations or none, as one entry. Each operation sees those before it. A problem names the `opIndex` of its operation."
        })
      )
    )
    .annotateMerge(OpenApi.annotations({ title: "Transactions" }))

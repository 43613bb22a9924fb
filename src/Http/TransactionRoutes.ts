/** Declares and serves `POST /api/_tx`: operations on any models, as one entry. docs/http.md, "Endpoints". */
import { Result } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { Operation } from "../Machine/Command.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { atOperation, invalidRequest, notFound, type Problem } from "../Problem.ts"
import type { Records, TransactionChange } from "../Repository/Records.ts"
import { jsonMediaTypes } from "./Body.ts"
import { awaiting, endpoint, type Handler, withValue } from "./Handler.ts"
import { refusedFields } from "./Hidden.ts"
import { type ApiModel, operationProblems, writeAnswerHeaders, writeHeaders } from "./ModelEndpoints.ts"
import { problemOfChange } from "./Outcomes.ts"
import { transactionPath } from "./Paths.ts"
import { answerTransacted } from "./RecordResponse.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { TransactionAnswer } from "./TransactionAnswer.ts"
import { parseTransaction, TransactionBody } from "./TransactionRequest.ts"
import { checkHead, readWrite } from "./WriteRequest.ts"

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

/** Makes the endpoint of transactions on these models. */
export const transactionRoutes = (models: ReadonlyArray<Descriptor>, records: Records["Service"]) => {
  const descriptors = new Map(models.map((descriptor) => [descriptor.name, descriptor]))

  const target = (operation: Operation, position: number): Result.Result<TransactionChange, Problem> => {
    const descriptor = descriptors.get(operation.model)
    if (descriptor === undefined)
      return Result.fail(atOperation(notFound(`There is no model ${operation.model.slice(0, shownMax)}`), position))
    const refused =
      operation._tag === "Delete" ? undefined : refusedFields(descriptor, operation.data, `ops.${position}.data`)
    if (refused !== undefined) return Result.fail(atOperation(refused, position))
    const { id } = operation
    if (id === undefined || descriptor.ids.isId(id)) return Result.succeed({ descriptor, operation })
    const errors = [{ path: `ops.${position}.id`, message: `Expected an id of ${descriptor.name}` }]
    return Result.fail(atOperation(invalidRequest("The id does not fit its model: see the errors", errors), position))
  }

  const transact: Handler = (head) =>
    withValue(checkHead(head, "POST"), () =>
      readWrite(head, jsonMediaTypes, (data, origin) =>
        withValue(parseTransaction(data), (operations) => {
          const changes: Array<TransactionChange> = []
          for (const [position, operation] of operations.entries()) {
            const change = target(operation, position)
            if (Result.isFailure(change)) return change.failure
            changes.push(change.success)
          }
          return awaiting({
            begin: records.beginTransact(head.caller, { changes, ...origin }),
            onSuccess: (transacted) => answerTransacted(transacted),
            onFailure: (error) => problemOfChange(error, origin.key)
          })
        })
      )
    )

  return [endpoint("POST", transactionPath, transact)]
}

/** Messages quote at most so many characters of an unknown model. */
const shownMax = 200

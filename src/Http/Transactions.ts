/** Serves `POST /api/_tx`: operations on any models, as one entry. docs/http.md, "Endpoints". */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { Operation } from "../Machine/Command.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { atOperation, invalidRequest, notFound, type Problem } from "../Problem.ts"
import type { Records, TransactionChange } from "../Repository/Records.ts"
import { jsonMediaTypes } from "./Body.ts"
import { readBody, readHead } from "./ModelWrites.ts"
import { problemOfChange } from "./Outcomes.ts"
import { transactionPath } from "./Paths.ts"
import { answerTransacted } from "./RecordResponse.ts"
import { parseTransaction } from "./TransactionRequest.ts"

/** Makes the route of transactions on these models. */
export const transactionRoutes = (models: ReadonlyArray<Descriptor>, records: Records["Service"]) => {
  const descriptors = new Map(models.map((descriptor) => [descriptor.name, descriptor]))

  const target = (operation: Operation, position: number): Effect.Effect<TransactionChange, Problem> => {
    const descriptor = descriptors.get(operation.model)
    if (descriptor === undefined)
      return Effect.fail(notFound(`There is no model ${operation.model.slice(0, shownMax)}`))
    const { id } = operation
    if (id === undefined || descriptor.ids.isId(id)) return Effect.succeed({ descriptor, operation })
    const errors = [{ path: `ops.${position}.id`, message: `Expected an id of ${descriptor.name}` }]
    return Effect.fail(invalidRequest("The id does not fit its model: see the errors", errors))
  }

  const transact = Effect.gen(function* () {
    const asked = yield* readHead("POST")
    const { data, origin } = yield* readBody(asked, jsonMediaTypes)
    const operations = yield* Effect.fromResult(parseTransaction(data))
    const changes = yield* Effect.forEach(operations, (operation, position) =>
      Effect.mapError(target(operation, position), (met) => atOperation(met, position))
    )
    const done = records.transact({ changes, ...origin })
    return answerTransacted(yield* Effect.mapError(done, (error) => problemOfChange(error, origin.key)))
  })

  return [HttpRouter.route("POST", transactionPath, transact)] as const
}

/** Messages quote at most so many characters of an unknown model. */
const shownMax = 200

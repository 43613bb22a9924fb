/** `POST /api/{m}/_bulk`, served: new records of one model, all or none. docs/http.md, "Endpoints". */
import { Effect } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest } from "../Problem.ts"
import type { TransactionChange } from "../Repository/Records.ts"
import { jsonMediaTypes } from "./Body.ts"
import type { ServedModel } from "./ModelRoutes.ts"
import { readBody, readHead } from "./ModelWrites.ts"
import { problemOfChange } from "./Outcomes.ts"
import { answerTransacted } from "./RecordResponse.ts"
import { operationsMax, tooMany } from "./TransactionRequest.ts"

/** Creates records. */
export const createRecords = ({ descriptor, records }: ServedModel) =>
  Effect.gen(function* () {
    const asked = yield* readHead("POST")
    const { data, origin } = yield* readBody(asked, jsonMediaTypes)
    if (!Array.isArray(data) || data.length === 0)
      return yield* invalidRequest("The body must be an array of at least one record")
    if (data.length > operationsMax) return yield* tooMany("records")
    const changes = data.map((record: unknown) => create(descriptor, record))
    const made = records.transact({ changes, name: "Bulk", ...origin })
    return answerTransacted(
      yield* Effect.mapError(made, (error) => problemOfChange(error, origin.key, { name: "Bulk" })),
      "Bulk"
    )
  })

const create = (descriptor: Descriptor, data: unknown): TransactionChange => ({
  descriptor,
  operation: { _tag: "Create", model: descriptor.name, data }
})

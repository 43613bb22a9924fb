/** Transactions by requests to the cluster. docs/http.md, "Transactions". */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { TransactionAnswer } from "../../Http/TransactionAnswer.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import { type Change, type Done, type EncodedChange, encodedChanges, type Transact, withLost } from "../Change.ts"
import { misfit, Unreadable } from "../Failure.ts"
import type { ChangeOptions } from "../ModelRepository.ts"
import * as Request from "../Request.ts"
import { decoded } from "./Answer.ts"
import type { Sending } from "./Sending.ts"

const decodeAnswer = Schema.decodeUnknownResult(TransactionAnswer)

/** Sends encoded changes as one transaction. */
export const transactEncoded = Effect.fnUntraced(function* (
  sending: Sending,
  changes: ReadonlyArray<EncodedChange>,
  { key }: ChangeOptions = {}
) {
  const isOfOneNode = changes.every(({ descriptor }) => descriptor.mode === "local")
  const { body, headers } = yield* sending.change({ ...Request.transact(changes), isOfOneNode }, key)
  const { results } = yield* decoded(decodeAnswer(body))
  if (results.length !== changes.length) {
    return yield* new Unreadable({
      message: `The answer to ${changes.length} changes has ${results.length} results`
    })
  }
  const isLost = headers["lithair-local"] === "lost"
  return yield* decoded(
    Result.all(
      results.map(({ id, record, version }, position): Result.Result<Done<RowClass>, Schema.SchemaError> => {
        const { descriptor, model } = changes[position]!
        if (record === undefined) return Result.succeed({ id, version, row: undefined })
        return Result.map(codecsOf(model).decode(record), (row) => withLost(isLost, descriptor, { id, version, row }))
      })
    )
  )
})

/** Makes transactions. */
export const make = (sending: Sending): Transact =>
  ((changes: ReadonlyArray<Change<RowClass>>, options?: ChangeOptions) =>
    Effect.flatMap(misfit(encodedChanges(changes)), (encoded) =>
      transactEncoded(sending, encoded, options)
    )) as unknown as Transact

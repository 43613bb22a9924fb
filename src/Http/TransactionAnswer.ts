/** The body that answers a transaction, apart from its request so that the client loads no more than it reads. */
import * as Schema from "effect/Schema"

/** The outcome of a transaction. The result of a deletion has no record. */
export const TransactionAnswer = Schema.Struct({
  index: Schema.Int,
  results: Schema.Array(
    Schema.Struct({
      model: Schema.String,
      id: Schema.String,
      version: Schema.Int,
      record: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
    })
  )
}).annotate({ identifier: "lithair.TransactionAnswer" })

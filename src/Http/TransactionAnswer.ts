/** The body that answers a transaction. It has a file of its own so that the client does not load the request's schema. */
import * as Schema from "effect/Schema"

/** The outcome of a transaction. The result of a delete has no record. */
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

/** The answer about an operation: its state and, if known, the status and body that answered its request. */
import * as Schema from "effect/Schema"

/** Its schema. */
export const OperationAnswer = Schema.Struct({
  state: Schema.Literals(["committed", "pending", "absent", "expired"]),
  status: Schema.optionalKey(Schema.Int),
  body: Schema.optionalKey(Schema.Unknown)
}).annotate({ identifier: "lithair.Operation" })

/** What became of a request: its state and, if known, the status and body that answered it. */
export type OperationAnswer = typeof OperationAnswer.Type

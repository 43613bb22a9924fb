/** What is answered to whoever asks for an operation: of what is known, the status and the body that its request was answered with. */
import * as Schema from "effect/Schema"

export const OperationAnswer = Schema.Struct({
  state: Schema.Literals(["committed", "pending", "absent", "expired"]),
  status: Schema.optionalKey(Schema.Int),
  body: Schema.optionalKey(Schema.Unknown)
}).annotate({ identifier: "lithair.Operation" })

export type OperationAnswer = typeof OperationAnswer.Type

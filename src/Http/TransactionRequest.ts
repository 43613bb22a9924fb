/** The schema of a transaction's body, for the document and for reading, and its parser. Pure. */
import { Result, Schema, type SchemaIssue } from "effect"
import type { Operation } from "../Machine/Command.ts"
import { decoder } from "../Model/Decoder.ts"
import { errorsOf } from "../Model/FieldError.ts"
import { textId } from "../Model/Id.ts"
import { atOperation, invalidRequest, type Problem, problem } from "../Problem.ts"

/** The most operations of a transaction, and the most records of a bulk. */
export const operationsMax = 1_000

/** An id of any model. The model's own schema is checked later. */
const Id = Schema.String.check(Schema.isPattern(textId, { message: "Expected an id" }))
const Version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Data = Schema.Record(Schema.String, Schema.Unknown)
const model = Schema.String
const changing = { model, id: Id, ifVersion: Schema.optionalKey(Version) }

const AskedOperation = Schema.Union([
  Schema.Struct({ op: Schema.Literal("create"), model, id: Schema.optionalKey(Id), data: Data }),
  Schema.Struct({ op: Schema.Literal("put"), ...changing, data: Data }),
  Schema.Struct({ op: Schema.Literal("patch"), ...changing, data: Data }),
  Schema.Struct({ op: Schema.Literal("delete"), ...changing })
])

/** The body of a transaction. `model` is a model's name; `ifVersion` works like `If-Match` on a single request. */
export const TransactionBody = Schema.Struct({
  ops: Schema.Array(AskedOperation).check(
    Schema.isMinLength(1, { message: "Expected at least one operation" }),
    // This is for the document. The parser refuses more operations before it decodes them.
    Schema.isMaxLength(operationsMax)
  )
}).annotate({ identifier: "lithair.Transaction" })

const decode = decoder(TransactionBody)

/** Reads the operations of a body. Fails with 400, or with 413 for too many operations. */
export const parseTransaction = (data: unknown): Result.Result<ReadonlyArray<Operation>, Problem> => {
  const ops: unknown = typeof data === "object" && data !== null && "ops" in data ? data.ops : undefined
  if (Array.isArray(ops) && ops.length > operationsMax) return Result.fail(tooMany("operations"))
  return Result.match(decode(data), {
    onSuccess: ({ ops }) => Result.succeed(ops.map(operationOf)),
    onFailure: ({ issue }) => Result.fail(malformed(issue))
  })
}

/** The problem of a transaction with more than {@link operationsMax} operations or records. */
export const tooMany = (what: string): Problem =>
  problem("too-large", `One transaction holds at most ${operationsMax} ${what}: split it`, {})

const operationOf = (asked: typeof AskedOperation.Type): Operation => {
  const { model } = asked
  switch (asked.op) {
    case "create":
      return { _tag: "Create", model, data: asked.data, ...(asked.id === undefined ? {} : { id: asked.id }) }
    case "put":
      return { _tag: "Put", model, id: asked.id, data: asked.data, ...conditionOf(asked) }
    case "patch":
      return { _tag: "Patch", model, id: asked.id, data: asked.data, ...conditionOf(asked) }
    case "delete":
      return { _tag: "Delete", model, id: asked.id, ...conditionOf(asked) }
  }
}

const conditionOf = ({ ifVersion }: { readonly ifVersion?: number }) =>
  ifVersion === undefined ? {} : { ifMatch: [ifVersion] }

const malformed = (issue: SchemaIssue.Issue): Problem => {
  const errors = errorsOf(issue)
  const met = invalidRequest("The body is not a transaction: see the errors", errors)
  const [, position] = /^ops\.(\d+)/.exec(errors[0]?.path ?? "") ?? []
  return position === undefined ? met : atOperation(met, Number(position))
}

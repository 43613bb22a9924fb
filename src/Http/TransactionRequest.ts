/** The body of a transaction: its schema, for the document as for reading it, and the operations that it asks for. Pure. */
import { Result, Schema, type SchemaIssue } from "effect"
import type { Operation } from "../Machine/Command.ts"
import { decoder } from "../Model/Decoder.ts"
import { errorsOf } from "../Model/Descriptor.ts"
import { textId } from "../Model/Id.ts"
import { atOperation, invalidRequest, type Problem, problem } from "../Problem.ts"

/** The most operations of a transaction, and records of a bulk. */
export const operationsMax = 1_000

/** Of any model; what an id of this one is, its own schema says. */
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

/** `model` is a model's name, and `ifVersion` what `If-Match` is on a request of its own. */
export const TransactionBody = Schema.Struct({
  ops: Schema.Array(AskedOperation).check(
    Schema.isMinLength(1, { message: "Expected at least one operation" }),
    // For the document: more are refused before they are looked at.
    Schema.isMaxLength(operationsMax)
  )
}).annotate({ identifier: "lithair.Transaction" })

const decode = decoder(TransactionBody)

/** The operations of a body, or why it asks for none: 400, or 413 for too many. */
export const parseTransaction = (data: unknown): Result.Result<ReadonlyArray<Operation>, Problem> => {
  const ops: unknown = typeof data === "object" && data !== null && "ops" in data ? data.ops : undefined
  if (Array.isArray(ops) && ops.length > operationsMax) return Result.fail(tooMany("operations"))
  return Result.match(decode(data), {
    onSuccess: ({ ops }) => Result.succeed(ops.map(operationOf)),
    onFailure: ({ issue }) => Result.fail(malformed(issue))
  })
}

/** A transaction of more than {@link operationsMax}. */
export const tooMany = (what: string): Problem =>
  problem("too-large", `One transaction holds at most ${operationsMax} ${what}`, {})

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
  const met = invalidRequest("The body is no transaction", errors)
  const [, position] = /^ops\.(\d+)/.exec(errors[0]?.path ?? "") ?? []
  return position === undefined ? met : atOperation(met, Number(position))
}

/** Which records a program lists, in what order: typed by the model's class. What a client writes in a URL is Http's. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Asking from "../Machine/Asking.ts"
import type { Comparison, Filter } from "../Machine/Filter.ts"
import type { ListRequest } from "../Machine/List.ts"
import type { OrderBy, OrderValue } from "../Machine/Order.ts"
import type { FieldError } from "../Model/Descriptor.ts"
import type { RowClass, RowCodecs } from "../Model/RowCodecs.ts"
import { answerBy, invalidRequest, type Problem, responds } from "../Problem.ts"
import type * as Freshness from "./Freshness.ts"

/** What a program asked with does not fit the model. */
export class InvalidValue extends Data.TaggedError("InvalidValue")<{ readonly errors: ReadonlyArray<FieldError> }> {
  override get message(): string {
    return this.errors.map(({ message, path }) => `${path}: ${message}`).join("; ")
  }
  toProblem(): Problem {
    return invalidRequest("The request does not fit the model", this.errors)
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** One condition on a field; a record meets all that are given. An absent field is null. */
export type Where<Row> = {
  readonly [K in keyof Row & string]:
    | readonly [field: K, op: Comparison, value: Exclude<Row[K], undefined>]
    /** Equal to null is to be null, or absent. */
    | (undefined extends Row[K] ? readonly [field: K, op: "eq" | "neq", value: null] : never)
    | readonly [field: K, op: "in", values: ReadonlyArray<Exclude<Row[K], undefined>>]
    | readonly [field: K, op: "is", what: "null" | "notnull"]
    /** Of a text: `*` stands for any characters, `\*` and `\\` for these two. */
    | readonly [field: K, op: "like", pattern: string]
}[keyof Row & string]

export interface ListOptions<M extends RowClass> {
  readonly where?: ReadonlyArray<Where<M["Type"]>>
  /** Ties break by the id. */
  readonly orderBy?: ReadonlyArray<readonly [field: keyof M["Type"] & string, direction: "asc" | "desc"]>
  /** From 1 to {@link limitMax}; 50 unless given. */
  readonly limit?: number
  /** The `next` of the page before, of the same list. */
  readonly after?: ReadonlyArray<OrderValue>
  /** Linearizable unless less is asked for. */
  readonly consistency?: Freshness.Consistency
}

/** Records that one list gives at most. */
export const limitMax = 1_000
const limitDefault = 50

/** What the machine is asked. */
export const requestOf = <M extends RowClass>(
  codecs: RowCodecs<M>,
  { after, limit = limitDefault, orderBy = [], where = [] }: ListOptions<M>
): Effect.Effect<ListRequest, InvalidValue> => {
  const { idField } = codecs.descriptor
  const invalid = (path: string, message: string) => Result.fail([{ path, message }])
  const request = Result.gen(function* () {
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
      return yield* invalid("limit", `Expected 1 to ${limitMax}`)
    }
    const steps = yield* stepsOf(codecs, orderBy)
    if (after !== undefined && !Asking.canFollow(codecs.fields, idField, steps, after)) {
      return yield* invalid("after", "Expected the end of a page of this list")
    }
    const filters = yield* Result.all(where.map((each) => filterOf(codecs, each)))
    return { filters, orderBy: steps, limit, after, countsTotal: false }
  })
  return Effect.fromResult(Result.mapError(request, (errors) => new InvalidValue({ errors })))
}

/** The steps of an order, or what of it does not fit the model. */
export const stepsOf = <M extends RowClass>(
  { descriptor, fields }: RowCodecs<M>,
  orderBy: NonNullable<ListOptions<M>["orderBy"]>
): Result.Result<readonly [OrderBy, ...Array<OrderBy>], ReadonlyArray<FieldError>> => {
  const asked = orderBy.map(([field, direction]): OrderBy => ({ field, direction }))
  return Result.mapError(Asking.inOrder(fields, descriptor.idField, asked), (message) => [{ path: "orderBy", message }])
}

type AnyWhere =
  | readonly [field: string, op: Comparison, value: unknown]
  | readonly [field: string, op: "in", values: ReadonlyArray<unknown>]
  | readonly [field: string, op: "is", what: "null" | "notnull"]
  | readonly [field: string, op: "like", pattern: string]

/** A condition with its values as JSON, or what of it does not fit the model. */
export const filterOf = <M extends RowClass>(
  { encodeField, fields }: RowCodecs<M>,
  where: Where<M["Type"]>
): Result.Result<Filter, ReadonlyArray<FieldError>> => {
  const [name, op, ...operand] = where as AnyWhere
  const wrong = (message: string): ReadonlyArray<FieldError> => [{ path: name, message }]
  const field = fields.get(name)
  if (field === undefined) return Result.fail(wrong("Expected a field of the model"))
  const asked = (filter: Result.Result<Filter, string>) => Result.mapError(filter, wrong)
  const encode = (value: unknown) => encodeField(name, value)
  const [value] = operand
  switch (op) {
    case "in":
      return Array.isArray(value)
        ? Result.flatMap(Result.all(value.map(encode)), (operands) => asked(Asking.isIn(field, operands)))
        : Result.fail(wrong("in takes an array"))
    case "is":
      return value === "null" || value === "notnull"
        ? asked(Asking.is(field, value === "null"))
        : Result.fail(wrong("is takes null or notnull"))
    case "like":
      return asked(typeof value === "string" ? Asking.like(field, value) : Result.fail("like takes a text"))
    case "eq":
    case "neq":
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return Result.flatMap(encode(value), (json) => asked(Asking.compare(field, op, json)))
  }
  return Result.fail(wrong(`has no operator ${JSON.stringify(op)}`))
}

/** The typed options of a list, and their check against the model. Http/ListQuery.ts parses the same from a URL. Pure. */
import * as Result from "effect/Result"
import { limitDefault, limitMax } from "../Http/PageLimit.ts"
import * as Asking from "../Machine/Asking.ts"
import type { Comparison, Filter } from "../Machine/Filter.ts"
import type { OrderBy } from "../Machine/Order.ts"
import type { FieldError } from "../Model/FieldError.ts"
import type { RowClass, RowCodecs } from "../Model/RowCodecs.ts"
import type { ReadOptions } from "./ReadOptions.ts"

/** Conditions on fields, each with one operator. A record must meet all of them. An absent field counts as null. */
export type Where<Row> = {
  readonly [K in keyof Row & string]:
    | readonly [field: K, op: Comparison, value: Exclude<Row[K], undefined>]
    /** `eq: null` matches null and absent fields. */
    | (undefined extends Row[K] ? readonly [field: K, op: "eq" | "neq", value: null] : never)
    | readonly [field: K, op: "in", values: ReadonlyArray<Exclude<Row[K], undefined>>]
    | readonly [field: K, op: "is", what: "null" | "notnull"]
    /** A pattern for a text: `*` stands for any characters, `\*` and `\\` for themselves. */
    | readonly [field: K, op: "like", pattern: string]
}[keyof Row & string]

/** The options of a list: its filters, its order and its page, and how new it must be. */
export interface ListOptions<M extends RowClass> extends ReadOptions {
  readonly where?: ReadonlyArray<Where<M["Type"]>>
  /** The fields that order the list. The id breaks ties. */
  readonly orderBy?: ReadonlyArray<readonly [field: keyof M["Type"] & string, direction: "asc" | "desc"]>
  /** Records of a page, from 1 to 1,000; 50 by default. */
  readonly limit?: number
  /** The `next` of the previous page of the same list. */
  readonly cursor?: string
  /** Whether to count the records of all pages. */
  readonly countsTotal?: boolean
}

/** The filters and the order of a list. */
export interface Listed {
  readonly filters: ReadonlyArray<Filter>
  readonly orderBy: readonly [OrderBy, ...Array<OrderBy>]
}

/** Checks the options, but for the cursor. Fails with the errors of all that is asked. */
export const listedOf = <M extends RowClass>(
  codecs: RowCodecs<M>,
  { limit, orderBy = [], where = [] }: ListOptions<M>
): Result.Result<Listed, ReadonlyArray<FieldError>> =>
  Result.gen(function* () {
    yield* limitOf(limit)
    const steps = yield* stepsOf(codecs, orderBy)
    const filters = yield* Result.all(where.map((each) => filterOf(codecs, each)))
    return { filters, orderBy: steps }
  })

/** Checks the size of a page. */
export const limitOf = (limit: number = limitDefault): Result.Result<number, ReadonlyArray<FieldError>> =>
  Number.isInteger(limit) && limit >= 1 && limit <= limitMax
    ? Result.succeed(limit)
    : Result.fail([{ path: "limit", message: `takes a number from 1 to ${limitMax}` }])

/** Turns an order into its steps. Fails with the errors of the order. */
const stepsOf = <M extends RowClass>(
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

/** Turns a condition into a filter with JSON values. Fails with the errors of the condition. */
const filterOf = <M extends RowClass>(
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

/** Which records a program lists, in what order: typed by the model's class. What a client writes in a URL is Http's. */
import { Data, Effect } from "effect"
import type { Comparison, Filter } from "../Machine/Filter.ts"
import type { ListRequest } from "../Machine/List.ts"
import type { OrderBy, OrderValue } from "../Machine/Order.ts"
import type { RowCodecs } from "../Model/RowCodecs.ts"
import type { FieldError, RowClass } from "../Model.ts"
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
    | readonly [field: K, op: "in", values: ReadonlyArray<Exclude<Row[K], undefined>>]
    | readonly [field: K, op: "is", what: "null" | "notnull"]
    /** Of a text: `*` stands for any characters. */
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
export const requestOf = Effect.fnUntraced(function* <M extends RowClass>(
  { descriptor: { idField }, encodeField }: RowCodecs<M>,
  { after, limit = limitDefault, orderBy = [], where = [] }: ListOptions<M>
): Effect.fn.Return<ListRequest, InvalidValue> {
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    return yield* new InvalidValue({ errors: [{ path: "limit", message: `Expected 1 to ${limitMax}` }] })
  }
  const steps = orderBy.map(([field, direction]): OrderBy => ({ field, direction }))
  const byId = { field: idField, direction: "asc" } as const
  const [first = byId, ...others] = steps.some(({ field }) => field === idField) ? steps : [...steps, byId]
  if (after !== undefined && after.length !== 1 + others.length) {
    return yield* new InvalidValue({ errors: [{ path: "after", message: "Expected the end of a page of this list" }] })
  }
  const filters = yield* Effect.forEach(where, (each) => filterOf(encodeField, each as AnyWhere))
  return { filters, orderBy: [first, ...others], limit, after, countsTotal: false }
})

type AnyWhere =
  | readonly [field: string, op: Comparison, value: unknown]
  | readonly [field: string, op: "in", values: ReadonlyArray<unknown>]
  | readonly [field: string, op: "is", what: "null" | "notnull"]
  | readonly [field: string, op: "like", pattern: string]

const filterOf = (
  encodeField: RowCodecs<RowClass>["encodeField"],
  where: AnyWhere
): Effect.Effect<Filter, InvalidValue> => {
  const [field, op] = where
  const encode = (value: unknown) =>
    Effect.mapError(Effect.fromResult(encodeField(field, value)), (errors) => new InvalidValue({ errors }))
  switch (op) {
    case "in":
      return Effect.map(
        Effect.forEach(where[2], (value) => encode(value)),
        (operands): Filter => ({ _tag: "In", field, operands })
      )
    case "is":
      return Effect.succeed({ _tag: "Is", field, isNull: where[2] === "null" })
    case "like":
      return Effect.succeed({ _tag: "Like", field, segments: where[2].split("*") })
    default:
      return Effect.map(encode(where[2]), (operand): Filter => ({ _tag: "Compare", field, op, operand }))
  }
}

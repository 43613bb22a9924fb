/** Which records a client lists, typed by the model's class, as the query that asks for them. HTTP contract, "Lists". Pure. */
import { Result, Schema } from "effect"
import { errorsOf } from "../Model/Descriptor.ts"
import { type Descriptor, describe, type FieldError, type RowClass } from "../Model.ts"
import type { Where } from "../Repository/ListOptions.ts"
import type { Asked } from "./Asked.ts"
import type { ReadOptions } from "./Reading.ts"

/** As for a node's own code, but for the page: it is named by a text. */
export interface ListOptions<M extends RowClass> extends ReadOptions {
  readonly where?: ReadonlyArray<Where<M["Type"]>>
  /** Ties break by the id. */
  readonly orderBy?: ReadonlyArray<readonly [field: keyof M["Type"] & string, direction: "asc" | "desc"]>
  /** From 1 to 1,000; 50 unless given. */
  readonly limit?: number
  /** The `next` of the page before, of the same list. */
  readonly cursor?: string
  /** Whether to count the records of all pages. */
  readonly countsTotal?: boolean
}

type Query = Required<Asked>["query"]

/** The query of a list; or what of it does not fit the model. */
export const listQuery = <M extends RowClass>(
  model: M,
  { countsTotal, cursor, limit, orderBy = [], where = [] }: ListOptions<M>
): Result.Result<Query, ReadonlyArray<FieldError>> => {
  const descriptor = describe(model)
  const filters = Result.all(where.map((each) => filterOf(descriptor, each as AnyWhere)))
  const order = orderBy.map(([field, direction]) => `${field}.${direction}`).join(",")
  return Result.map(
    filters,
    (asked): Query => [
      ...asked,
      ...(order === "" ? [] : [["order", order] as const]),
      ...(limit === undefined ? [] : [["limit", String(limit)] as const]),
      ...(cursor === undefined ? [] : [["cursor", cursor] as const]),
      ...(countsTotal === true ? [["count", "exact"] as const] : [])
    ]
  )
}

type AnyWhere = readonly [field: string, op: string, value: unknown]

const filterOf = (
  { fields }: Pick<Descriptor, "fields">,
  [field, op, value]: AnyWhere
): Result.Result<Query[number], ReadonlyArray<FieldError>> => {
  const schema = Object.hasOwn(fields, field) ? fields[field] : undefined
  if (schema === undefined) return Result.fail([{ path: field, message: "Expected a field of the model" }])
  // A field may have the name of a parameter, or of another field behind the prefix.
  const name = Object.hasOwn(fields, `field.${field}`) ? field : `field.${field}`
  const encode = Schema.encodeUnknownResult(Schema.toCodecStringTree(schema))
  const operand = (each: unknown): Result.Result<string, ReadonlyArray<FieldError>> =>
    Result.mapBoth(encode(each), {
      onSuccess: String,
      onFailure: ({ issue }) => errorsOf(issue).map(({ message }) => ({ path: field, message }))
    })
  const said = (text: Result.Result<string, ReadonlyArray<FieldError>>, how = op) =>
    Result.map(text, (right) => [name, `${how}.${right}`] as const)
  // An absent field is null, and the text of a query has no other way to say so.
  if (value === null && (op === "eq" || op === "neq")) {
    return said(Result.succeed(op === "eq" ? "null" : "notnull"), "is")
  }
  switch (op) {
    case "in":
      if ((value as ReadonlyArray<unknown>).length === 0) {
        return Result.fail([{ path: field, message: "Expected at least one value" }])
      }
      return said(
        Result.map(Result.all((value as ReadonlyArray<unknown>).map(operand)), (all) => all.map(quoted).join(","))
      )
    case "is":
    case "like":
      return said(Result.succeed(String(value)))
    default:
      return said(operand(value))
  }
}

const quoted = (item: string): string => `"${item.replaceAll(/["\\]/g, "\\$&")}"`

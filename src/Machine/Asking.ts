/**
 * The rules for a list's filters and order, shared by URLs, the client and a node's own code. Pure. The caller
 * passes values as JSON and names the field in errors; the messages here say what is wrong. docs/http.md, "Lists".
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { FieldValues } from "../Model/FieldValues.ts"
import type { Comparison, Filter } from "./Filter.ts"
import type { OrderBy, OrderValue } from "./Order.ts"

type Asked<A> = Result.Result<A, string>

/** Compares with one value. `eq` null matches null and absent values. */
export const compare = (field: FieldValues, op: Comparison, operand: Schema.Json): Asked<Filter> => {
  const isEquality = op === "eq" || op === "neq"
  if (operand === null && isEquality) return is(field, op === "eq")
  const wrong = isEquality ? withoutEquality(field) : withoutOrder(field)
  if (wrong !== undefined) return Result.fail(`${wrong}: only ${operatorsOf(field)} apply`)
  return operand === null ? notNull : Result.succeed({ _tag: "Compare", field: field.name, op, operand })
}

/** Matches one of several values. */
export const isIn = (field: FieldValues, operands: ReadonlyArray<Schema.Json>): Asked<Filter> => {
  const wrong = withoutEquality(field)
  if (wrong !== undefined) return Result.fail(`${wrong}: only ${operatorsOf(field)} apply`)
  if (operands.length === 0) return Result.fail("in takes at least one value")
  return operands.includes(null) ? notNull : Result.succeed({ _tag: "In", field: field.name, operands })
}

const notNull: Result.Result<never, string> = Result.fail(
  "is not a value to compare with: null is neither more nor less than one, and is asked for with is"
)

/** Matches fields with a value, or without one. */
export const is = ({ name: field }: FieldValues, isNull: boolean): Asked<Filter> =>
  Result.succeed({ _tag: "Is", field, isNull })

/** Matches a text by a pattern: `*` is any text, and `\*` and `\\` are those characters. */
export const like = ({ hasOthers, name: field }: FieldValues, pattern: string): Asked<Filter> => {
  if (hasOthers) return Result.fail("like is for text")
  const segments = [""]
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === "*") {
      segments.push("")
      continue
    }
    if (char === "\\") at += 1
    const literal = pattern.charAt(at)
    if (char === "\\" && literal !== "*" && literal !== "\\") {
      return Result.fail("like has a lone backslash: write \\* for an asterisk, and \\\\ for a backslash")
    }
    segments[segments.length - 1] += literal
  }
  return Result.succeed({ _tag: "Like", field, segments })
}

/** An order that ends with the id, which is unique, so that later steps never matter. */
export const inOrder = (
  fields: ReadonlyMap<string, FieldValues>,
  idField: string,
  asked: ReadonlyArray<OrderBy>
): Asked<readonly [OrderBy, ...Array<OrderBy>]> => {
  for (const [at, { field }] of asked.entries()) {
    const known = fields.get(field)
    if (known === undefined) return Result.fail(`names no field: ${JSON.stringify(field)}`)
    const wrong = withoutOrder(known)
    if (wrong !== undefined) return Result.fail(`cannot order by ${field}, which ${wrong}`)
    if (asked.findIndex((step) => step.field === field) < at) return Result.fail(`names ${field} twice`)
  }
  const idAt = asked.findIndex(({ field }) => field === idField)
  const [first, ...rest] = idAt === -1 ? asked : asked.slice(0, idAt + 1)
  const byId: OrderBy = { field: idField, direction: "asc" }
  if (first === undefined) return Result.succeed([byId])
  return Result.succeed(idAt === -1 ? [first, ...rest, byId] : [first, ...rest])
}

/** Whether a list in this order can continue after a record with these keys. The keys come from outside. */
export const canFollow = (
  fields: ReadonlyMap<string, FieldValues>,
  idField: string,
  orderBy: ReadonlyArray<OrderBy>,
  after: ReadonlyArray<OrderValue>
): boolean =>
  after.length === orderBy.length &&
  orderBy.every(({ field }, at) =>
    field === idField ? typeof after[at] === "string" : isKeyOf(fields.get(field), after[at] ?? null)
  )

/** Whether some value of the field may have this key. */
const isKeyOf = (field: FieldValues | undefined, key: OrderValue): boolean => {
  if (field === undefined || key === null) return field !== undefined
  const isText = typeof key === "string"
  switch (field.order) {
    case "plain":
      return isText ? field.hasTexts : field.hasOthers
    case "decimal":
    case "duration":
      return isText
    case "number":
    case "nonfinite":
    case "instant":
      return isText || typeof key === "number"
    case undefined:
      return false
  }
}

const withoutEquality = ({ isScalar, order }: FieldValues): string | undefined =>
  isScalar || order !== undefined ? undefined : "is not a single value"

const withoutOrder = (field: FieldValues): string | undefined =>
  withoutEquality(field) ?? (field.order === undefined ? "has no order" : undefined)

const operatorsOf = (field: FieldValues): string =>
  withoutEquality(field) === undefined ? "eq neq in is" : "is.null and is.notnull"

/** Parses the filters of a list, `field=op.value`, and formats them. Pure; Machine applies them. docs/http.md, "Lists". */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Asking from "../Machine/Asking.ts"
import type { Comparison, Filter } from "../Machine/Filter.ts"
import type { FieldValues } from "../Model/FieldValues.ts"
import { isExact, isJsonNumber, scan } from "./JsonText.ts"

export type { Comparison, Filter, Operand } from "../Machine/Filter.ts"

/** Parses the right side of `field=op.value`. Fails with a message about the field. */
export const parseFilter = (field: FieldValues, text: string): Result.Result<Filter, string> => {
  const dot = text.indexOf(".")
  const op = dot === -1 ? text : text.slice(0, dot)
  if (!isOperator(op)) {
    return Result.fail(`has no operator ${JSON.stringify(op)}: write op.value with one of ${operators.join(" ")}`)
  }
  if (dot === -1) return Result.fail(`has the operator ${op} without a value: write ${op}.value`)
  const value = text.slice(dot + 1)
  switch (op) {
    case "is":
      return value === "null" || value === "notnull"
        ? Asking.is(field, value === "null")
        : Result.fail("is takes null or notnull")
    case "like":
      return Asking.like(field, value)
    case "in": {
      // If the operator does not suit the field at all, say that first, not what is wrong with a value.
      const items = Result.flatMap(splitItems(value), (all) => Result.all(all.map((item) => operandOf(field, item))))
      return Result.flatMap(Result.isSuccess(items) ? items : applies(field, op, items), (operands) =>
        Asking.isIn(field, operands)
      )
    }
    default: {
      const operand = Result.flatMap(itemOf(field, value), (item) => operandOf(field, item))
      return Result.flatMap(Result.isSuccess(operand) ? operand : applies(field, op, operand), (read) =>
        Asking.compare(field, op, read)
      )
    }
  }
}

/** The operator's failure if it takes no value of this field, else the failure of the value. */
const applies = <A>(
  field: FieldValues,
  op: Comparison | "in",
  failed: Result.Result<A, string>
): Result.Result<A, string> => {
  const any = op === "in" ? Asking.isIn(field, [""]) : Asking.compare(field, op, "")
  return Result.isFailure(any) ? Result.fail(any.failure) : failed
}

const operators = ["eq", "neq", "gt", "gte", "lt", "lte", "in", "like", "is"] as const

const isOperator = (text: string): text is (typeof operators)[number] => operators.some((it) => it === text)

/** A value as it was written. In quotes it is always a text. */
interface Item {
  readonly text: string
  readonly isQuoted: boolean
}

const item = /(?:"((?:[^"\\]|\\["\\])*)"|([^",][^,]*|))(,|$)/y

/** Splits comma-separated items. An item with a comma or a leading quote needs double quotes, with `\"` and `\\` inside. */
export const splitItems = (text: string): Result.Result<ReadonlyArray<Item>, string> => {
  const items: Array<Item> = []
  item.lastIndex = 0
  for (;;) {
    const match = item.exec(text)
    if (match === null) return Result.fail('has a badly quoted item: write in.a,"b,c" with \\" and \\\\ inside quotes')
    items.push(
      match[1] === undefined
        ? { text: match[2]!, isQuoted: false }
        : { text: match[1].replace(/\\(["\\])/g, "$1"), isQuoted: true }
    )
    if (match[3] === "") return Result.succeed(items)
  }
}

/** Reads one item. Quotes have a meaning only if the field has texts and other values. */
const itemOf = ({ hasOthers, hasTexts }: FieldValues, text: string): Result.Result<Item, string> => {
  if (!(hasOthers && hasTexts && text.startsWith('"'))) return Result.succeed({ text, isQuoted: false })
  const [, quoted] = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text) ?? []
  return quoted === undefined
    ? Result.fail('has a badly quoted text: write "a" with \\" and \\\\ inside quotes')
    : Result.succeed({ text: quoted.replace(/\\(["\\])/g, "$1"), isQuoted: true })
}

/** The value of an item: texts are written plainly, everything else as JSON. */
const operandOf = (field: FieldValues, { isQuoted, text }: Item): Result.Result<Schema.Json, string> => {
  const { hasOthers, hasTexts, normal } = field
  if (!hasOthers || (isQuoted && hasTexts)) return normal(text)
  if (!hasTexts) return Result.flatMap(jsonOf(text), (json) => nonNull(field, json))
  // The field has both kinds. Take the item as the other kind if it can be that, else as a text.
  const read = jsonOf(text)
  if (Result.isSuccess(read) && typeof read.success !== "string" && read.success !== null) {
    const found = normal(read.success)
    if (Result.isSuccess(found)) return found
  }
  return Result.isFailure(read) && isJsonNumber(text) ? Result.fail(read.failure) : normal(text)
}

const nonNull = ({ normal }: FieldValues, json: Schema.Json): Result.Result<Schema.Json, string> =>
  json === null ? Result.fail("cannot be compared with null: write is.null") : normal(json)

const jsonOf = (text: string): Result.Result<Schema.Json, string> => {
  // JSON.parse would accept white space around a value.
  if (text.trim() !== text) return Result.fail("is not a value of this field")
  const { inexact, isTooDeep } = scan(text)
  if (isTooDeep) return Result.fail("is nested too deeply")
  if (inexact !== undefined && !isExact(inexact)) {
    return Result.fail(`has the number ${inexact.slice(0, 100)}, which a double cannot hold: write fewer digits`)
  }
  return Result.try({ try: (): Schema.Json => JSON.parse(text), catch: () => "is not a value of this field" })
}

/** Formats a filter for a query, so that {@link parseFilter} reads it back. */
export const formatFilter = (field: FieldValues, filter: Filter): string => {
  const { hasOthers, hasTexts } = field
  const written = (operand: Schema.Json, isItem: boolean): string => {
    const text = typeof operand === "string" ? operand : JSON.stringify(operand)
    const isMistakable = typeof operand === "string" && hasOthers && hasTexts
    // In a list, quotes protect a comma. Quotes must not turn a value that is not a text into one.
    const holdsComma = isItem && (typeof operand === "string" || typeof operand === "object")
    return isMistakable || holdsComma ? quoted(text) : text
  }
  switch (filter._tag) {
    case "Compare":
      return `${filter.op}.${written(filter.operand, false)}`
    case "In":
      return `in.${filter.operands.map((operand) => written(operand, true)).join(",")}`
    case "Like":
      return `like.${filter.segments.map((segment) => segment.replaceAll(/[\\*]/g, "\\$&")).join("*")}`
    case "Is":
      return filter.isNull ? "is.null" : "is.notnull"
  }
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&")}"`

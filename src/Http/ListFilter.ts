/** Filters of a list, `field=op.value`, to the machine's typed tree. Pure; applying them is Machine's. HTTP contract, "Lists". */
import { Result, Schema, SchemaAST } from "effect"
import type { Filter, Operand } from "../Machine/Filter.ts"
import type { FieldSchema } from "../Model.ts"

export type { Comparison, Filter, Operand } from "../Machine/Filter.ts"

/** What filters and orders need to know of one field, worked out once per model. */
export interface ListField {
  readonly name: string
  /** Ordered by one value: not an object or an array. */
  readonly isScalar: boolean
  /** Held as a string, so that `like` makes sense. */
  readonly isText: boolean
  /** From the text of a query to the encoded value, through the field's own schema. */
  readonly operand: (text: string) => Result.Result<Operand, string>
  /** Whether an encoded value can be one of this field: a cursor comes from outside, like any text. */
  readonly holds: (encoded: unknown) => boolean
}

/** Reads a field's schema. */
export const listField = (name: string, schema: FieldSchema): ListField => {
  const decode = Schema.decodeUnknownResult(Schema.toCodecStringTree(schema))
  const codecJson = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownResult(codecJson)
  const decodeJson = Schema.decodeUnknownResult(codecJson)
  // As JSON holds it: a date is text there, and what may be any JSON is no single value.
  const encodedAst = Schema.toEncoded(codecJson).ast
  return {
    name,
    isScalar: everyMember(encodedAst, (it) => scalarTags.includes(it._tag)),
    isText: everyMember(encodedAst, isTextAst),
    holds: (encoded) => Result.isSuccess(decodeJson(encoded)),
    operand: (text) => {
      const decoded = decode(text)
      if (Result.isFailure(decoded)) return Result.fail(decoded.failure.message)
      const encoded = encode(decoded.success)
      if (Result.isFailure(encoded)) return Result.fail(encoded.failure.message)
      if (encoded.success === null) return Result.fail("is not a value to compare with: write is.null")
      // NaN and the infinities encode as these strings, and no JSON number is one of them.
      if (typeof decoded.success === "number" && typeof encoded.success === "string") {
        return Result.fail("is not a finite number")
      }
      return Result.succeed(Object.is(encoded.success, -0) ? 0 : encoded.success)
    }
  }
}

/** Reads the right side of `field=op.value`; the failure is a message about the field. */
export const parseFilter = (field: ListField, text: string): Result.Result<Filter, string> => {
  const dot = text.indexOf(".")
  const op = dot === -1 ? text : text.slice(0, dot)
  if (!isOperator(op)) {
    return Result.fail(`has no operator ${JSON.stringify(op)}: write op.value with one of ${operators.join(" ")}`)
  }
  if (dot === -1) return Result.fail(`has the operator ${op} without a value: write ${op}.value`)
  const value = text.slice(dot + 1)
  if (!field.isScalar && op !== "is") return Result.fail("is not a single value: only is.null and is.notnull apply")
  switch (op) {
    case "is":
      return value === "null" || value === "notnull"
        ? Result.succeed({ _tag: "Is", field: field.name, isNull: value === "null" })
        : Result.fail("is takes null or notnull")
    case "like":
      return field.isText
        ? Result.succeed({ _tag: "Like", field: field.name, segments: value.split("*") })
        : Result.fail("like is for text")
    case "in":
      return Result.map(
        Result.flatMap(splitItems(value), (items) => Result.all(items.map(field.operand))),
        (operands): Filter => ({ _tag: "In", field: field.name, operands })
      )
    case "eq":
    case "neq":
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return Result.map(
        field.operand(value),
        (operand): Filter => ({ _tag: "Compare", field: field.name, op, operand })
      )
  }
}

const operators = ["eq", "neq", "gt", "gte", "lt", "lte", "in", "like", "is"] as const

const isOperator = (text: string): text is (typeof operators)[number] => operators.some((it) => it === text)

/** Comma-separated items; one that holds a comma or starts with a quote stands in double quotes, with `\"` and `\\` inside. */
export const splitItems = (text: string): Result.Result<ReadonlyArray<string>, string> => {
  const items: Array<string> = []
  const item = /(?:"((?:[^"\\]|\\["\\])*)"|([^",][^,]*|))(,|$)/y
  for (;;) {
    const match = item.exec(text)
    if (match === null) return Result.fail('has a badly quoted item: write in.a,"b,c" with \\" and \\\\ inside quotes')
    items.push(match[1] === undefined ? match[2]! : match[1].replace(/\\(["\\])/g, "$1"))
    if (match[3] === "") return Result.succeed(items)
  }
}

const scalarTags: ReadonlyArray<string> = ["String", "Number", "Boolean", "Literal", "TemplateLiteral", "Enum"]

const everyMember = (ast: SchemaAST.AST, holds: (ast: SchemaAST.AST) => boolean): boolean =>
  SchemaAST.isUnion(ast)
    ? ast.types.every((it) => SchemaAST.isNull(it) || SchemaAST.isUndefined(it) || everyMember(it, holds))
    : holds(ast)

const isTextAst = (ast: SchemaAST.AST): boolean =>
  ast._tag === "String" || ast._tag === "TemplateLiteral" || (ast._tag === "Literal" && typeof ast.literal === "string")

/** Schemas of parameters and headers for the document. A client that follows them gets no error about form. Pure. */
import { Schema, SchemaAST } from "effect"
import { keyLengthMax } from "../Machine/RequestKey.ts"
import type { FieldSchema } from "../Model/Descriptor.ts"
import { jsonCodec } from "../Model/JsonCodec.ts"

/** JSON Schema reads patterns in Unicode mode, so write every pattern with that flag. */
const text = (pattern: string, description: string) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^${pattern}$`, "u"))).annotate({ description })

/** A count, an index or a number of ms, as a header and a query write it. */
export const Count = text("[0-9]{1,16}", "A whole number from 0")

/** An idempotency key. */
export const Key = text(`[!-~]{1,${keyLengthMax}}`, `1 to ${keyLengthMax} visible ASCII characters`)

const tag = '(W/)?"[!#-~]*"'
/** `*`, or entity tags (RFC 9110 §8.8.3). */
export const Condition = text(
  `(\\*|${tag}(, ${tag})*)`,
  "The `ETag` of an answer, several of them, or `*`. A tag that no record has matches nothing"
)

/** The entity tag of the members of the cluster. */
export const MembersTag = text('"[0-9]{1,15}"', "The `ETag` of the members")

/** `If-None-Match` of a PUT: it creates the record, and never changes an existing one. */
export const CreateOnly = Schema.Literal("*").annotate({ description: "Create only: 412 if the record exists" })

const escaped = (name: string): string => name.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")
const oneOf = (names: ReadonlyArray<string>): string => `(${names.map(escaped).join("|")})`

/** The fields that order a list, each once. */
export const order = (names: ReadonlyArray<string>) => {
  const step = `${oneOf(names)}(\\.(asc|desc))?`
  return text(`${step}(,${step})*`, "Fields, each once, with `.asc` (the default) or `.desc`")
}

/** The fields in the answer. */
export const select = (names: ReadonlyArray<string>) =>
  text(`${oneOf(names)}(,${oneOf(names)})*`, "The fields to answer")

export const Limit = text("([1-9][0-9]{0,2}|1000)", "Items of a page, from 1 to 1000; 50 by default")
export const Cursor = text("[A-Za-z0-9_-]+", "The `next` of a page of the same list. Any other cursor is 400")

/** A past moment of a record. */
export const Moment = text(
  "([1-9][0-9]{0,14}|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].*)",
  "A version of the record, or a time with a zone (RFC 3339)"
)

/** The position of a follower of changes. */
export const Position = text(
  "([0-9a-f-]+:)?(0|[1-9][0-9]{0,15})(\\.(0|[1-9][0-9]{0,4}))?(![0-9a-z]{1,14})?(~[0-9a-z]{1,7}(~[A-Za-z][\\w-]{0,63}~[A-Za-z0-9][\\w.~-]{0,127})?)?",
  "The id of an event. With `!` it is good for callers who may read the same records. Within a first state (with `~`) it is one of a stream of the same models: with others it is 400"
)

/** Paths of models, each once. */
export const modelPaths = (paths: ReadonlyArray<string>) =>
  text(`${oneOf(paths)}(,${oneOf(paths)})*`, "Paths of models that the cluster keeps, each once, separated by commas")

/** A filter: an operator, a dot and a value of the field. */
export const filter = (name: string, schema: FieldSchema) => {
  const what = `\`op.value\` with a value of \`${name}\`; any other value is 400. Several are joined by AND`
  const nothing = "is\\.(null|notnull)"
  const value = operandOf(schema)
  if (value === undefined) return text(nothing, "`is.null` or `is.notnull`")
  const isText = value.startsWith(character)
  const items = isText ? `in\\.${item}(,${item})*|like\\.([^\\\\]|\\\\[*\\\\])*` : `in\\.${value}(,${value})*`
  return text(`((eq|neq|gt|gte|lt|lte)\\.${value}|${items}|${nothing})`, what)
}

/** Whether a list can be ordered by the field. */
export const isSingle = (schema: FieldSchema): boolean => operandOf(schema) !== undefined

const character = "[\\s\\S]"
const anything = `${character}*`
/** An item of a list of texts: in double quotes if it holds a comma or a quote. */
const item = '([^",\\\\]+|"([^"\\\\]|\\\\["\\\\])*")'

/** A pattern of the field's values; undefined if the field holds no single values. */
const operandOf = (schema: FieldSchema): string | undefined => {
  const { ast } = Schema.toEncoded(jsonCodec(schema))
  const types = (SchemaAST.isUnion(ast) ? ast.types : [ast]).filter((type) => !SchemaAST.isNull(type))
  if (types.every((type) => SchemaAST.isLiteral(type) && typeof type.literal === "string")) {
    return oneOf(types.map((type) => String((type as SchemaAST.Literal).literal)))
  }
  const [type] = types
  switch (type?._tag) {
    case "String":
      return patternOf(type) ?? anything
    case "Number":
      return isWhole(type) ? "-?(0|[1-9][0-9]{0,14})" : "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?"
    case "Boolean":
      return "(true|false)"
    case "Objects":
    case "Arrays":
    case "Unknown":
    case "Any":
    case undefined:
      return undefined
    default:
      return anything
  }
}

/** Whether a number is a whole one. */
const isWhole = (ast: SchemaAST.AST): boolean =>
  /"type":"integer"/.test(JSON.stringify(Schema.toJsonSchemaDocument(Schema.make(ast)).schema))

/** A text's own pattern without `^` and `$`, or else one for its length. */
const patternOf = (ast: SchemaAST.AST): string | undefined => {
  const found = JSON.stringify(Schema.toJsonSchemaDocument(Schema.make(ast)).schema)
  // All patterns hold, and the last is the narrowest.
  const [pattern] = [...found.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)]
    .map(([, text = '""']) => JSON.parse(text))
    .slice(-1)
  if (typeof pattern === "string" && /^\^.*\$$/s.test(pattern)) return `(${pattern.slice(1, -1)})`
  const [, min] = /"minLength":(\d+)/.exec(found) ?? []
  const [, max = ""] = /"maxLength":(\d+)/.exec(found) ?? []
  return min === undefined && max === "" ? undefined : `${character}{${min ?? 0},${max}}`
}

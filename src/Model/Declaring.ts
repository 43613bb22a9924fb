/**
 * The checks of a declaration. They fail where the model is declared, with the names of the model and the field. Pure.
 */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { invariant } from "../Invariant.ts"
import type { Descriptor, FieldSchema } from "./Descriptor.ts"
import { type FieldOrder, jsonKindsOf } from "./FieldOrder.ts"
import { isText } from "./Id.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { typeOf } from "./Notation.ts"

/**
 * Checks a model's name, which appears in paths, documents and logs. Lithair's own models have a slash in their names,
 * so they never clash with it.
 */
export const checkName = (name: string): void =>
  invariant(
    /^(lithair\/)?[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name),
    `Model "${name}" must have a name of 1 to 64 letters, digits, "_" and "-" that begins with a letter`
  )

/** Checks one part of a path, as it is sent. A leading underscore is reserved for Lithair. */
export const checkPath = (name: string, path: string): void =>
  invariant(
    /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/.test(path),
    `Model "${name}" cannot be at the path "${path}": it is one part of letters, digits and . _ ~ - that begins with a letter or digit`
  )

/** Checks the field that holds the record's id. */
export const checkId = (name: string, field: string, schema: Schema.Top): void =>
  invariant(
    isText(schema.ast),
    `Model "${name}", field "${field}": an id is a text without a transformation, as Schema.String.check(Schema.isUUID()) or Schema.String`
  )

/** The JSON codec of a field. A custom class without a codec is an error. */
export const codecOf = (name: string, field: string, schema: FieldSchema): Schema.Codec<unknown, Schema.Json> => {
  let codec: Schema.Codec<unknown, Schema.Json> | undefined
  let why = ""
  try {
    codec = jsonCodec(schema)
  } catch (cause) {
    why = cause instanceof Error ? `: ${cause.message}` : ""
  }
  invariant(codec !== undefined, `Model "${name}", field "${field}": its schema cannot be written as JSON${why}`)
  invariant(
    !lacksCodec(codec.ast, new Set()),
    `Model "${name}", field "${field}": its schema has values that are no JSON: use a Schema.Class, or annotate it with toCodecJson`
  )
  return codec
}

/** Checks the models that one node serves: equal names would share a table, and equal paths would share requests. */
export const checkTogether = (models: ReadonlyArray<Pick<Descriptor, "name" | "path">>): void => {
  const names = new Map<string, string>()
  const paths = new Map<string, string>()
  for (const { name, path } of models) {
    invariant(!names.has(name.toLowerCase()), `Two models have the name "${name}", or one that differs in case alone`)
    const other = paths.get(path.toLowerCase())
    invariant(
      other === undefined,
      `The models "${other}" and "${name}" have the path "${path}", or one that differs in case alone: give one of them a path`
    )
    names.set(name.toLowerCase(), name)
    paths.set(path.toLowerCase(), name)
  }
}

/** Whether a schema has a type without a JSON form, which Effect would pass on unchanged. */
const lacksCodec = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  if (SchemaAST.isDeclaration(ast)) {
    const { annotations, encoding = [], typeParameters } = ast
    const isDerived = annotations?.toCodecJson === undefined && annotations?.toCodec === undefined
    const isPassedOn = encoding.length === 1 && typeOf(encoding[0]!.to) === "effect/schema/Json"
    if (isDerived && isPassedOn && typeOf(ast) !== "effect/schema/Json") return true
    if (typeParameters.some((each) => lacksCodec(each, seen))) return true
  }
  if (ast.encoding?.some(({ to }) => lacksCodec(to, seen)) === true) return true
  switch (ast._tag) {
    case "Union":
      return ast.types.some((each) => lacksCodec(each, seen))
    case "Arrays":
      return [...ast.elements, ...ast.rest].some((each) => lacksCodec(each, seen))
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].some(({ type }) => lacksCodec(type, seen))
    case "Suspend":
      return lacksCodec(ast.thunk(), seen)
    default:
      return false
  }
}

/** Checks that indexed fields have an order and that unique fields can be compared. */
export const checkIndexes = (
  name: string,
  {
    indexes,
    kept,
    unique
  }: {
    /** The fields, without the id, of the records that one log keeps whole. */
    readonly kept: ReadonlyArray<string>
    readonly indexes: ReadonlyArray<string>
    readonly unique: ReadonlyArray<string>
  },
  codecs: ReadonlyMap<string, Schema.Codec<unknown, Schema.Json>>,
  orders: ReadonlyMap<string, FieldOrder>
): void => {
  const foreign = [...indexes, ...unique].find((field) => !kept.includes(field))
  invariant(
    foreign === undefined,
    `Model "${name}", field "${foreign}": it is neither unique nor indexed, since there is no such field beside the id in the log of the model`
  )
  for (const field of indexes) {
    invariant(orders.has(field), `Model "${name}", field "${field}": no index, since its values have no order`)
  }
  for (const field of unique) {
    const codec = codecs.get(field)
    const isComparable = orders.has(field) || (codec !== undefined && jsonKindsOf(codec.ast).isScalar)
    invariant(isComparable, `Model "${name}", field "${field}": it cannot be unique, since it is not a single value`)
  }
}

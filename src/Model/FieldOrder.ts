/**
 * The order of a field's values, read from its schema. Values that can be more or less than each other are ordered by
 * value. It is read where a model is declared; the machine then orders JSON, and runs no schema. Pure.
 */
import * as SchemaAST from "effect/SchemaAST"
import { isDecimal } from "./Decimal.ts"
import { type Notation, notationOf, typeOf } from "./Notation.ts"

/**
 * `plain`: the order of JSON, false and true, numbers, then texts by UTF-16 code unit. `number`: texts of numbers count
 * as numbers. `nonfinite`: only the texts of infinities and NaN count as numbers. `decimal`: by value, with all digits.
 * `instant`: by the moment of a date, in any zone. `duration`: by length.
 */
export type FieldOrder = "plain" | "number" | "nonfinite" | "decimal" | "instant" | "duration"

/** One kind of a field's values: the order of its texts, if it has any, and whether it has numbers too. */
interface Kind {
  readonly texts: FieldOrder | undefined
  readonly hasNumbers: boolean
}

const numbers: Kind = { texts: undefined, hasNumbers: true }
const booleans: Kind = { texts: undefined, hasNumbers: false }
const inTexts = (texts: FieldOrder): Kind => ({ texts, hasNumbers: false })
const inBoth = (texts: FieldOrder): Kind => ({ texts, hasNumbers: true })

/** The order of a JSON codec's values; undefined if they have no known order. */
export const orderOf = (codec: SchemaAST.AST): FieldOrder | undefined => {
  const kinds = kindsOf(codec)
  if (kinds === undefined) return undefined
  const texts = [...new Set(kinds.flatMap(({ texts }) => texts ?? []))]
  const hasNumbers = kinds.some((kind) => kind.hasNumbers)
  const [first, second, ...more] = texts
  if (first === undefined) return "plain"
  if (second === undefined) return hasNumbers && (first === "instant" || first === "duration") ? undefined : first
  if (more.length > 0) return undefined
  // The first matching member of a union reads the text.
  if (texts.includes("nonfinite") && texts.includes("plain")) return first
  return texts.includes("nonfinite") && texts.includes("number") ? "number" : undefined
}

/** The kinds of a value other than null, in the order in which they are tried. */
const kindsOf = (ast: SchemaAST.AST): ReadonlyArray<Kind> | undefined => {
  if (isDecimal(ast)) return [inTexts("decimal")]
  const kind = kindOf(ast)
  if (kind !== undefined) return [kind]
  if (SchemaAST.isUnion(ast) && ast.encoding === undefined) {
    const kinds = ast.types.map(kindsOf)
    return kinds.every((each) => each !== undefined) ? kinds.flat() : undefined
  }
  if (SchemaAST.isNull(ast) || SchemaAST.isUndefined(ast)) return []
  // For an option that is null when empty, this is the order of its content.
  const [link, ...others] = ast.encoding ?? []
  return typeOf(ast) === "effect/schema/Option" && link !== undefined && others.length === 0
    ? kindsOf(link.to)
    : undefined
}

const kindOf = (ast: SchemaAST.AST): Kind | undefined => {
  const written = SchemaAST.toEncoded(ast)
  const isText = (json: SchemaAST.AST) =>
    SchemaAST.isString(json) || SchemaAST.isTemplateLiteral(json) || literalType(json) === "string"
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return isText(written) ? inTexts("plain") : undefined
    case "Boolean":
      return SchemaAST.isBoolean(written) ? booleans : undefined
    case "Literal":
      if (typeof ast.literal === "bigint") return inTexts("decimal")
      return ofType(ast.encoding === undefined ? typeof ast.literal : undefined)
    case "Enum": {
      const types = new Set(ast.enums.map(([, value]) => typeof value))
      if (ast.encoding !== undefined) return undefined
      return types.size > 1 ? inBoth("plain") : ofType([...types][0])
    }
    case "Number":
      if (SchemaAST.isNumber(written)) return numbers
      return ofNotation(notationOf(ast), written)
    default:
      return ofNotation(notationOf(ast), written)
  }
}

const ofType = (type: string | undefined): Kind | undefined => {
  if (type === "string") return inTexts("plain")
  return type === "number" ? numbers : type === "boolean" ? booleans : undefined
}

const ofNotation = (notation: Notation | undefined, written: SchemaAST.AST): Kind | undefined => {
  switch (notation) {
    case "number":
      return SchemaAST.isString(written) ? inTexts("number") : inBoth("nonfinite")
    case "epochMs":
      return numbers
    case undefined:
      return undefined
    default:
      return inTexts(notation)
  }
}

const literalType = (ast: SchemaAST.AST): string | undefined =>
  SchemaAST.isLiteral(ast) ? typeof ast.literal : undefined

/** The JSON forms of a field's values, without null. They say what a text for one may be. */
export interface JsonKinds {
  readonly hasTexts: boolean
  /** Numbers, booleans, objects or arrays. */
  readonly hasOthers: boolean
  /** No value is an object or an array. */
  readonly isScalar: boolean
}

/** Reads the outermost form of a JSON codec. */
export const jsonKindsOf = (codec: SchemaAST.AST): JsonKinds => {
  const written = SchemaAST.toEncoded(codec)
  if (SchemaAST.isUnion(written)) {
    const all = written.types.filter((type) => !SchemaAST.isNull(type) && !SchemaAST.isUndefined(type)).map(jsonKindsOf)
    return {
      hasTexts: all.some(({ hasTexts }) => hasTexts),
      hasOthers: all.some(({ hasOthers }) => hasOthers),
      isScalar: all.every(({ isScalar }) => isScalar)
    }
  }
  const types = SchemaAST.isEnum(written) ? written.enums.map(([, value]) => typeof value) : [literalType(written)]
  const hasTexts =
    SchemaAST.isString(written) || SchemaAST.isTemplateLiteral(written) || types.some((type) => type === "string")
  const isOther =
    SchemaAST.isNumber(written) ||
    SchemaAST.isBoolean(written) ||
    types.some((type) => type === "number" || type === "boolean")
  return { hasTexts, hasOthers: !hasTexts || isOther, isScalar: hasTexts || isOther }
}

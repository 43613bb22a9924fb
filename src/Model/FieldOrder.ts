/**
 * By what the values of a field are ordered, as its schema tells: by value wherever they have one that is more or less
 * than another. Decided where a model is declared; the machine orders the JSON that it holds, and runs no schema. Pure.
 */
import * as SchemaAST from "effect/SchemaAST"
import { isDecimal } from "./Field.ts"
import { type Notation, notationOf, typeOf } from "./Notation.ts"

/**
 * `plain`: as JSON has them, false and true, numbers, then texts by UTF-16 code unit. `number`: texts of numbers are
 * numbers. `nonfinite`: of texts, the infinities and NaN alone are numbers. `decimal`: by the digits, none of which is
 * lost. `instant`: by the moment that a date is, in whatever zone. `duration`: by length.
 */
export type FieldOrder = "plain" | "number" | "nonfinite" | "decimal" | "instant" | "duration"

/** One kind of values of a field: how its texts are ordered, if it has texts, and whether there are numbers beside. */
interface Kind {
  readonly texts: FieldOrder | undefined
  readonly hasNumbers: boolean
}

const numbers: Kind = { texts: undefined, hasNumbers: true }
const booleans: Kind = { texts: undefined, hasNumbers: false }
const inTexts = (texts: FieldOrder): Kind => ({ texts, hasNumbers: false })
const inBoth = (texts: FieldOrder): Kind => ({ texts, hasNumbers: true })

/** The order of a JSON codec's values; undefined where they have none, or none that is known. */
export const orderOf = (codec: SchemaAST.AST): FieldOrder | undefined => {
  const kinds = kindsOf(codec)
  if (kinds === undefined) return undefined
  const texts = [...new Set(kinds.flatMap(({ texts }) => texts ?? []))]
  const hasNumbers = kinds.some((kind) => kind.hasNumbers)
  const [first, second, ...more] = texts
  if (first === undefined) return "plain"
  if (second === undefined) return hasNumbers && (first === "instant" || first === "duration") ? undefined : first
  if (more.length > 0) return undefined
  // Whichever member of a union comes first reads the text.
  if (texts.includes("nonfinite") && texts.includes("plain")) return first
  return texts.includes("nonfinite") && texts.includes("number") ? "number" : undefined
}

/** The kinds of a value that is not null, in the order in which they are tried. */
const kindsOf = (ast: SchemaAST.AST): ReadonlyArray<Kind> | undefined => {
  if (isDecimal(ast)) return [inTexts("decimal")]
  const kind = kindOf(ast)
  if (kind !== undefined) return [kind]
  if (SchemaAST.isUnion(ast) && ast.encoding === undefined) {
    const kinds = ast.types.map(kindsOf)
    return kinds.every((each) => each !== undefined) ? kinds.flat() : undefined
  }
  if (SchemaAST.isNull(ast) || SchemaAST.isUndefined(ast)) return []
  // Of an option that is null where there is nothing, the value is what there is.
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

/** How the values of a field look in JSON, null aside: what a text that stands for one may be. */
export interface JsonKinds {
  readonly hasTexts: boolean
  /** Numbers, booleans, objects or arrays. */
  readonly hasOthers: boolean
  /** None is an object or an array. */
  readonly isScalar: boolean
}

/** Looks at the outermost form of a JSON codec. */
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

/**
 * Whether a value has only keys that a schema knows, so that a parser need not look for others. Effect parses an object
 * at half the cost if it stops at the first error and drops excess keys; a value without any gives the same result then.
 * Pure.
 */
import type * as SchemaAST from "effect/SchemaAST"

/** Whether every object in a value has only known keys. False also means that this cannot be told. */
export type HasKnownKeys = (value: unknown) => boolean

/**
 * Compiles the test for the parser of a schema's AST; flip the schema for its encoder. It tells nothing about schemas
 * where an object is made or chosen while parsing: transformations of objects, unions of objects, classes, records.
 */
export const knownKeysOf = (ast: SchemaAST.AST): HasKnownKeys => {
  if (isScalar(ast)) return always
  if (ast.encoding !== undefined) return never
  switch (ast._tag) {
    case "Objects":
      return ast.indexSignatures.length > 0 ? never : objectOf(ast)
    case "Arrays":
      return arrayOf(ast)
    default:
      return never
  }
}

const always: HasKnownKeys = () => true
const never: HasKnownKeys = () => false

/** Whether no parser of objects takes part in parsing this. */
const isScalar = (ast: SchemaAST.AST): boolean =>
  isScalarItself(ast) && (ast.encoding ?? []).every(({ to }) => isScalar(to))

const isScalarItself = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Objects":
    case "Arrays":
    case "Suspend":
      return false
    case "Declaration":
      return ast.typeParameters.length === 0
    case "Union":
      return ast.types.every(isScalar)
    default:
      return true
  }
}

const arrayOf = ({ elements, rest }: SchemaAST.Arrays): HasKnownKeys => {
  const fixed = elements.map(knownKeysOf)
  const [others, ...after] = rest.map(knownKeysOf)
  if (after.length > 0) return never
  return (value) => Array.isArray(value) && value.every((item, at) => (fixed[at] ?? others ?? never)(item))
}

const objectOf = ({ propertySignatures }: SchemaAST.Objects): HasKnownKeys => {
  const members = new Map(propertySignatures.map(({ name, type }) => [name, knownKeysOf(type)]))
  return (value) => {
    if (typeof value !== "object" || value === null) return false
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue
      const isKnown = members.get(key)
      if (isKnown === undefined || !isKnown((value as Record<string, unknown>)[key])) return false
    }
    return Object.getOwnPropertySymbols(value).length === 0
  }
}

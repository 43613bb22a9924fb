/**
 * What identifies a record: a UUID, or a text of the model's own, a natural key. It stands in paths, entity tags and other
 * records as it is, so that no id needs to be escaped and none can be taken for another path. Pure. docs/http.md.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** A UUID of any version, in the case in which the record has it. */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** 1 to 128 unreserved characters (RFC 3986 §2.3). The last part of a path may be `changes` or `live`: no id is. */
export const textId = /^(?!(?:changes|live)$)[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/u

/** Which of both a model has. */
export type IdKind = "uuid" | "text"

const textIdCheck = Schema.isPattern(textId, {
  message: "Expected 1 to 128 of A-Z a-z 0-9 . _ ~ - that begin with a letter or digit, and not changes or live"
})

/** The schema of an id: any text that is no UUID must be one of those that can stand in a path. */
export const idSchema = <S extends Schema.Top>(schema: S): S =>
  kindOf(schema) === "uuid"
    ? schema
    : ((schema as Schema.Top & { readonly Type: string }).check(textIdCheck) as unknown as S)

/** What the schema of an id says. */
export const kindOf = ({ ast }: Schema.Top): IdKind => (ast.checks?.some(isUuidCheck) === true ? "uuid" : "text")

const isUuidCheck = (check: SchemaAST.Checks[number]): boolean => {
  if (check._tag === "FilterGroup") return check.checks.some(isUuidCheck)
  const named: unknown = check.annotations?.representation
  return typeof named === "object" && named !== null && "id" in named && named.id === "effect/schema/isUUID"
}

/** Whether a schema is of texts that are stored as they are: the order of ids, and their place in a path, need no other. */
export const isText = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  if (SchemaAST.isUnion(ast)) return ast.types.every(isText)
  return (
    SchemaAST.isString(ast) ||
    SchemaAST.isTemplateLiteral(ast) ||
    (SchemaAST.isLiteral(ast) && typeof ast.literal === "string")
  )
}

/** An id as the deciding side makes them (UUIDv7). */
const sampleId = "01890a5d-ac96-774b-bcce-b302099a8057"

/** The ids of one model. */
export interface Ids {
  readonly kind: IdKind
  readonly isId: (text: string) => boolean
  /** Whether a record may be given an id that is made for it: the model's own schema may take none such. */
  readonly areMade: boolean
}

/** Reads the schema of an id. */
export const idsOf = (schema: Schema.Top): Ids => {
  const decode = Schema.decodeUnknownResult(schema as Schema.Codec<unknown, unknown>)
  // A check of the application's own may throw.
  const isId = (text: string) =>
    Result.getOrElse(
      Result.try(() => Result.isSuccess(decode(text))),
      () => false
    )
  return { kind: kindOf(schema), isId, areMade: isId(sampleId) }
}

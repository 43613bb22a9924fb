/**
 * The id of a record: a UUID, or a text of the model's own, a natural key. It appears unescaped in paths, entity tags
 * and other records, so it needs no escaping and never looks like another path. Pure. docs/http.md.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** A UUID of any version, in the case in which the record has it. */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** 1 to 128 unreserved characters (RFC 3986 §2.3). `changes` and `live` are reserved as last parts of a path. */
export const textId = /^(?!(?:changes|live)$)[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/u

/** The kinds of id. */
export type IdKind = "uuid" | "text"

const textIdCheck = Schema.isPattern(textId, {
  message: "Expected 1 to 128 of A-Z a-z 0-9 . _ ~ - that begin with a letter or digit, and not changes or live"
})

/** The schema of an id: a UUID, or a text that fits into a path. */
export const idSchema = <S extends Schema.Top>(schema: S): S =>
  kindOf(schema) === "uuid"
    ? schema
    : ((schema as Schema.Top & { readonly Type: string }).check(textIdCheck) as unknown as S)

/** The kind of id that a schema has. */
export const kindOf = ({ ast }: Schema.Top): IdKind => (ast.checks?.some(isUuidCheck) === true ? "uuid" : "text")

const isUuidCheck = (check: SchemaAST.Checks[number]): boolean => {
  if (check._tag === "FilterGroup") return check.checks.some(isUuidCheck)
  const named: unknown = check.annotations?.representation
  return typeof named === "object" && named !== null && "id" in named && named.id === "effect/schema/isUUID"
}

/** Whether a schema's texts are stored unchanged, so that their order and their paths are known. */
export const isText = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  if (SchemaAST.isUnion(ast)) return ast.types.every(isText)
  return (
    SchemaAST.isString(ast) ||
    SchemaAST.isTemplateLiteral(ast) ||
    (SchemaAST.isLiteral(ast) && typeof ast.literal === "string")
  )
}

/** An id as the deciding node makes them (UUIDv7). */
const sampleId = "01890a5d-ac96-774b-bcce-b302099a8057"

/** The ids of one model, with the type that its schema gives them. */
export interface Ids<Id extends string = string> {
  readonly kind: IdKind
  readonly isId: (text: string) => text is Id
  /** Whether this model's records can be given an id: its own schema may refuse UUIDs. */
  readonly areMade: boolean
}

/** Reads the schema of an id. */
export const idsOf = (schema: Schema.Top): Ids => {
  const decode = Schema.decodeUnknownResult(schema as Schema.Codec<unknown, unknown>)
  // A check of the application's own may throw.
  const isId = (text: string): text is string =>
    Result.getOrElse(
      Result.try(() => Result.isSuccess(decode(text))),
      () => false
    )
  return { kind: kindOf(schema), isId, areMade: isId(sampleId) }
}

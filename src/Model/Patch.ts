/** The schema of a merge patch (RFC 7396), from that of the value that it changes. MergePatch.ts merges. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** A merge patch of a field (RFC 7396): absent, a change of its value or, for an optional field, null. */
export type Patch<S extends Schema.Top> =
  S extends Schema.optionalKey<infer Inner extends Schema.Top>
    ? Schema.optionalKey<Schema.NullOr<Merge<Inner>>>
    : Schema.optionalKey<Merge<S>>

/** A merge patch of a value: some fields of a struct, some members of a record, or else the whole value. */
export type Merge<S extends Schema.Top> =
  S extends Schema.Struct<infer F>
    ? Schema.Struct<{ readonly [K in keyof F]: F[K] extends Schema.Top ? Patch<F[K]> : F[K] }>
    : S extends Schema.$Record<infer Key, infer Value extends Schema.Top>
      ? Schema.$Record<Key, Schema.NullOr<Merge<Value>>>
      : S extends Schema.NullOr<infer Inner extends Schema.Top>
        ? Schema.NullOr<Merge<Inner>>
        : S

/** The schema of a merge patch of a field. */
export const patchOf = <S extends Schema.Top>(schema: S): Patch<S> =>
  ("schema" in schema && schema.ast.context?.isOptional === true
    ? Schema.optionalKey(nullOr(mergeOf(schema.schema as Schema.Top)))
    : Schema.optionalKey(mergeOf(schema))) as unknown as Patch<S>

/** Adds null, unless the value may be null already. */
const nullOr = (schema: Schema.Top): Schema.Top => (isNullOr(schema) ? schema : Schema.NullOr(schema))

const isNullOr = (schema: Schema.Top): schema is Schema.NullOr<Schema.Top> => {
  const { ast } = schema
  return "members" in schema && SchemaAST.isUnion(ast) && ast.types.length === 2 && SchemaAST.isNull(ast.types[1]!)
}

/** The checks of a whole struct apply to the merged value, so a patch has none. */
const mergeOf = (schema: Schema.Top): Schema.Top => {
  const { ast } = schema
  if (ast.encoding !== undefined) return schema
  if (isNullOr(schema)) return Schema.NullOr(mergeOf(schema.members[0]))
  if (!SchemaAST.isObjects(ast)) return schema
  if ("fields" in schema) {
    const fields = schema.fields as { readonly [name: string]: Schema.Top }
    return Schema.Struct(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, patchOf(field)])))
  }
  if (!("key" in schema && "value" in schema)) return schema
  const { key, value } = schema as Schema.$Record<Schema.Record.Key, Schema.Top>
  return Schema.Record(key, nullOr(mergeOf(value)))
}

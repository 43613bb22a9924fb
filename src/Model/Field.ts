/**
 * The fields of a model, and where each is kept: in the replicated log, or on the node that wrote it. A field is one
 * schema per variant of its model; its mode says in which variants it appears.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as VariantSchema from "effect/schema/VariantSchema"
import { idSchema } from "./Id.ts"

/**
 * The variants of a model: `row` is the whole record on this node, `replicated` the part in the Raft log, `local` the
 * part that stays here, `json` the answer, and `create`, `put` and `patch` the requests.
 */
export const variants = VariantSchema.make({
  variants: ["row", "replicated", "local", "json", "create", "put", "patch"],
  defaultVariant: "row"
})

/** The name of one variant of a model. */
export type Variant = "row" | "replicated" | "local" | "json" | "create" | "put" | "patch"

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

/** The record's id: the client or the deciding node gives it, and it never changes. */
export interface IdField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: S
    readonly replicated: S
    readonly local: S
    readonly json: S
    readonly create: Schema.optionalKey<S>
    readonly put: Schema.optionalKey<S>
  }> {
  readonly "~lithair/mode": "id"
}

/** A field that not every author sets or sees (GuardedFields.ts), and its value in a new record. */
export interface FieldGuard {
  readonly kind: "owner" | "commandOnly" | "hidden" | "masked"
  /** Who sees a masked field. */
  readonly roles?: ReadonlyArray<string>
  readonly initial?: { readonly value: unknown }
}

/** A replicated field that may be left out of a whole record: the cluster keeps or sets its value. */
export interface GuardedField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: S
    readonly replicated: S
    readonly json: S
    readonly create: Schema.optionalKey<S>
    readonly put: Schema.optionalKey<S>
    readonly patch: Patch<S>
  }> {
  readonly "~lithair/mode": "replicate"
  readonly "~lithair/guard": FieldGuard
}

/** A replicated field that HTTP never shows: a program far from the nodes reads records without it. */
export interface HiddenField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: Schema.optionalKey<S>
    readonly replicated: S
    readonly create: Schema.optionalKey<S>
    readonly put: Schema.optionalKey<S>
    readonly patch: Patch<S>
  }> {
  readonly "~lithair/mode": "replicate"
  readonly "~lithair/guard": FieldGuard
}

/** A replicated field that some readers see: others read records without it. */
export interface MaskedField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: Schema.optionalKey<S>
    readonly replicated: S
    readonly json: Schema.optionalKey<S>
    readonly create: Schema.optionalKey<S>
    readonly put: Schema.optionalKey<S>
    readonly patch: Patch<S>
  }> {
  readonly "~lithair/mode": "replicate"
  readonly "~lithair/guard": FieldGuard
}

/** A field that every node holds. */
export interface ReplicatedField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: S
    readonly replicated: S
    readonly json: S
    readonly create: S
    readonly put: S
    readonly patch: Patch<S>
  }> {
  readonly "~lithair/mode": "replicate"
}

/** A field of a mixed model that only the node which wrote it holds. Other nodes read it as absent. */
export interface LocalField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: Schema.optionalKey<S>
    readonly local: Schema.optionalKey<S>
    readonly json: Schema.optionalKey<S>
    readonly create: Schema.optionalKey<S>
    readonly put: Schema.optionalKey<S>
    readonly patch: Schema.optionalKey<Schema.NullOr<Merge<S>>>
  }> {
  readonly "~lithair/mode": "local"
}

/**
 * A field of a model that is wholly local. It is as optional as its schema says, since no other node shows the record.
 */
export interface OwnField<S extends Schema.Top>
  extends VariantSchema.Field<{
    readonly row: S
    readonly local: S
    readonly json: S
    readonly create: S
    readonly put: S
    readonly patch: Patch<S>
  }> {
  readonly "~lithair/mode": "own"
}

/** Any field with a mode. */
export type Field = (
  | IdField<Schema.Top>
  | ReplicatedField<Schema.Top>
  | GuardedField<Schema.Top>
  | HiddenField<Schema.Top>
  | MaskedField<Schema.Top>
  | LocalField<Schema.Top>
  | OwnField<Schema.Top>
) & { readonly "~lithair/guard"?: FieldGuard }

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

/**
 * The field that identifies a record: a UUID where its schema has `Schema.isUUID()`, else a text of 1 to 128 of
 * `A-Z a-z 0-9 . _ ~ -` that begins with a letter or digit and is not `changes` or `live`, besides what its schema says.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * class Country extends Model.Class<Country>("Country")({
 *   code: Model.id(Schema.String.check(Schema.isPattern(/^[A-Z]{2}$/u))),
 *   name: Model.replicate(Schema.NonEmptyString)
 * }) {}
 * ```
 */
export const id = <S extends Schema.Top & { readonly Encoded: string; readonly Type: string }>(schema: S): IdField<S> =>
  bareId(idSchema(schema))

/** An id field of a model that no path serves, so its ids need not fit into a path. */
export const bareId = <S extends Schema.Top>(schema: S): IdField<S> => {
  const optional = Schema.optionalKey(schema)
  const field = { row: schema, replicated: schema, local: schema, json: schema, create: optional, put: optional }
  return Object.assign(variants.Field(field), { "~lithair/mode": "id" } as const)
}

/**
 * A field that the cluster agrees on and every node holds. One such field makes the bare fields of its model replicated
 * too.
 */
export const replicate = <S extends Schema.Top>(schema: S): ReplicatedField<S> => {
  const patch = patchOf(schema)
  const field = { row: schema, replicated: schema, json: schema, create: schema, put: schema, patch }
  return Object.assign(variants.Field(field), { "~lithair/mode": "replicate" } as const)
}

/** The schema of a field that may be left out. */
const optionalOf = (schema: Schema.Top): Schema.Top =>
  "schema" in schema && schema.ast.context?.isOptional === true ? schema : Schema.optionalKey(schema)

const guarded = <S extends Schema.Top>(schema: S, guard: FieldGuard): GuardedField<S> => {
  const optional = optionalOf(schema)
  const patch = patchOf(schema)
  const field = { row: schema, replicated: schema, json: schema, create: optional, put: optional, patch }
  return Object.assign(variants.Field(field), {
    "~lithair/mode": "replicate",
    "~lithair/guard": guard
  } as const) as unknown as GuardedField<S>
}

/**
 * The id of the principal who created the record, or null if nobody had signed in. The deciding node sets it, nobody
 * changes it but a command, and it is indexed.
 */
export const owner: GuardedField<Schema.NullOr<Schema.String>> = guarded(Schema.NullOr(Schema.String), {
  kind: "owner"
})

/** The value of a guarded field in a new record that comes without it. */
export interface Initial<A> {
  readonly initial?: A
}

const initialOf = <A>({ initial }: Initial<A>) => (initial === undefined ? {} : { initial: { value: initial } })

/**
 * A field that only commands change. Requests read it; a PUT keeps it, and a PATCH that names it is refused.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * class Show extends Model.Class<Show>("Show")({
 *   id: Model.id(Schema.String),
 *   seats: Model.replicate(Schema.Int),
 *   sold: Model.commandOnly(Schema.Int, { initial: 0 })
 * }) {}
 * ```
 */
export const commandOnly = <S extends Schema.Top>(
  schema: S,
  options: Initial<NoInfer<S["Type"]>> = {}
): GuardedField<S> => guarded(schema, { kind: "commandOnly", ...initialOf(options) })

/**
 * A field that HTTP never shows, takes, filters or orders by: commands and the application's own code use it. A PUT keeps
 * it.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * class Device extends Model.Class<Device>("Device")({
 *   id: Model.id(Schema.String),
 *   name: Model.replicate(Schema.String),
 *   pin: Model.hidden(Schema.String, { initial: "" })
 * }) {}
 * ```
 */
export const hidden = <S extends Schema.Top>(schema: S, options: Initial<NoInfer<S["Type"]>> = {}): HiddenField<S> => {
  const optional = optionalOf(schema)
  const field = { row: optional, replicated: schema, create: optional, put: optional, patch: patchOf(schema) }
  return Object.assign(variants.Field(field), {
    "~lithair/mode": "replicate",
    "~lithair/guard": { kind: "hidden", ...initialOf(options) }
  } as const) as unknown as HiddenField<S>
}

/**
 * A field that principals with one of the roles see and set, where rules hold. For others it is as if the record had no
 * such field: they neither filter nor order by it, and their PUT keeps it.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * class Employee extends Model.Class<Employee>("Employee")({
 *   id: Model.id(Schema.String),
 *   name: Model.replicate(Schema.String),
 *   salary: Model.masked(Schema.Int, { roles: ["payroll"], initial: 0 })
 * }) {}
 * ```
 */
export const masked = <S extends Schema.Top>(
  schema: S,
  { roles, ...initial }: Initial<NoInfer<S["Type"]>> & { readonly roles: readonly [string, ...ReadonlyArray<string>] }
): MaskedField<S> => {
  const optional = optionalOf(schema)
  const patch = patchOf(schema)
  const field = { row: optional, replicated: schema, json: optional, create: optional, put: optional, patch }
  return Object.assign(variants.Field(field), {
    "~lithair/mode": "replicate",
    "~lithair/guard": { kind: "masked", roles, ...initialOf(initial) }
  } as const) as unknown as MaskedField<S>
}

/** A field that stays on the node that wrote it, and is optional to read. */
export const local = <S extends Schema.Top>(schema: S): LocalField<S> => {
  const optional = Schema.optionalKey(schema)
  const patch = patchOf(optional) as unknown as Schema.optionalKey<Schema.NullOr<Merge<S>>>
  const field = { row: optional, local: optional, json: optional, create: optional, put: optional, patch }
  return Object.assign(variants.Field(field), { "~lithair/mode": "local" } as const)
}

/** The field that a bare schema becomes in a local model. */
export const own = <S extends Schema.Top>(schema: S): OwnField<S> => {
  const patch = patchOf(schema)
  const field = { row: schema, local: schema, json: schema, create: schema, put: schema, patch }
  return Object.assign(variants.Field(field), { "~lithair/mode": "own" } as const)
}

const decimalKey = "~lithair/decimal"

/**
 * Says that a field's text is a decimal number: it is filtered and ordered by its value, and no digit is lost.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * const Money = Schema.String.check(Schema.isPattern(/^\d+\.\d\d$/u)).pipe(Model.decimal)
 * ```
 */
export const decimal = <S extends Schema.Top & { readonly Encoded: string }>(schema: S): S["Rebuild"] =>
  schema.annotate({ [decimalKey]: true })

/** Whether a schema is marked by {@link decimal}. Checks that were added later hold the annotations of earlier ones. */
export const isDecimal = ({ annotations, checks }: SchemaAST.AST): boolean =>
  annotations?.[decimalKey] === true || checks?.some((check) => check.annotations?.[decimalKey] === true) === true

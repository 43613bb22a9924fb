/**
 * Declares a field that not every author sets or sees: the owner, fields of commands, hidden and masked ones. Each is a
 * replicated field. GuardedFields.ts gathers those of a model.
 */
import * as Schema from "effect/Schema"
import type * as VariantSchema from "effect/schema/VariantSchema"
import { type Patch, patchOf } from "./Patch.ts"
import { variants } from "./Variant.ts"

/** What guards a field, and its value in a new record. */
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

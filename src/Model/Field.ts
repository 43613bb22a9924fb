/**
 * The fields of a model, and where each is kept: in the replicated log, or on the node that wrote it. A field is one
 * schema per variant of its model; its mode says in which variants it appears.
 */
import * as Schema from "effect/Schema"
import type * as VariantSchema from "effect/schema/VariantSchema"
import type { FieldGuard, GuardedField, HiddenField, MaskedField } from "./GuardedField.ts"
import { idSchema } from "./Id.ts"
import { type Merge, type Patch, patchOf } from "./Patch.ts"
import { variants } from "./Variant.ts"

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

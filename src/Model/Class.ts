/** The declaration of a model: a class whose fields, one by one or all at once, say where they are kept. */
import * as Schema from "effect/Schema"
import type * as VariantSchema from "effect/schema/VariantSchema"
import type { Rules as AccessRules } from "../Access/Rule.ts"
import { invariant } from "../Invariant.ts"
import { checkId, checkIndexes, checkName, checkPath, codecOf } from "./Declaring.ts"
import { checkAccess } from "./DeclaringAccess.ts"
import { type Descriptor, type FieldSchema, type Kept, validator } from "./Descriptor.ts"
import { type Field, type IdField, own, replicate } from "./Field.ts"
import { type FieldOrder, orderOf } from "./FieldOrder.ts"
import { fingerprintOf } from "./Fingerprint.ts"
import { guardedOf } from "./GuardedFields.ts"
import { idsOf } from "./Id.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { toVersion } from "./Lift.ts"
import { shapeOf } from "./MergePatch.ts"
import { once } from "./Once.ts"
import type { BareMode, Check, Fields, Marked, Mode, Moded, Options, ReferenceOption, Ruling } from "./Options.ts"
import { pathOfName } from "./Path.ts"
import { checkerOf, type Reference, type Rules, type Writes } from "./Rules.ts"
import { readersOf } from "./StoredRecord.ts"
import { type Variant, variants } from "./Variant.ts"

/** A model: the schema of its rows, a schema for each other variant, and its {@link Descriptor}. */
export type ModelClass<
  Self,
  F extends VariantSchema.Struct.Fields,
  IsRuled extends boolean = boolean
> = VariantSchema.Class<Self, F, Schema.Struct<VariantSchema.ExtractFields<"row", F, true>>, Variant, "row"> & {
  readonly [V in Variant]: VariantSchema.Extract<V, VariantSchema.Struct<F>>
} & Described<KeptAs<F>, IdIn<F>> & {
    /** Whether the model says who may use it, by `access` or `http: false`. For the compiler alone. */
    readonly "~lithair/isRuled"?: IsRuled
  }

type KeptAs<F> = [Extract<F[keyof F], Marked<"replicate">>] extends [never] ? "local" : "replicated" | "mixed"

/** The type of the id among these fields. */
type IdIn<F> = { [K in keyof F]: F[K] extends IdField<infer S extends IdSchema> ? S["Type"] : never }[keyof F]

type IdSchema = Schema.Top & { readonly Type: string }

/** Any class that {@link describe} accepts. */
export interface Described<Mode extends Kept = Kept, Id extends string = string> {
  readonly "~lithair/model": Descriptor<Mode, Id>
}

/** The type of a model's ids: a brand, if its schema has one, so that ids of two models are not mixed up. */
export type IdOf<M extends Described> = M["~lithair/model"] extends Descriptor<Kept, infer Id> ? Id : string

/** Returns the descriptor of a model. */
export const describe = (model: Described): Descriptor => model["~lithair/model"]

const withModes = (fields: Fields, mode: Mode): { readonly [name: string]: Field } =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      Schema.isSchema(field) ? (mode === "local" ? own(field) : replicate(field)) : field
    ])
  )

const describeFields = (
  className: string,
  fields: { readonly [name: string]: Field },
  options: Options<Mode, Fields>,
  shapes: { readonly [V in "replicated" | "local"]: Schema.Top }
): Descriptor => {
  const name = options.storedAs ?? className
  const named = (...modes: ReadonlyArray<Field["~lithair/mode"]>) =>
    Object.keys(fields).filter((field) => modes.includes(fields[field]!["~lithair/mode"]))
  const [idField, second] = named("id")
  invariant(idField !== undefined && second === undefined, `Model "${name}" must have exactly one Model.id field`)
  checkName(className)
  checkName(name)
  checkPath(name, options.path ?? pathOfName(name))
  checkId(name, idField, shownSchema(fields[idField]!.schemas))
  const replicatedFields = named("replicate")
  const localFields = named("local", "own")
  const shown = Object.fromEntries(Object.entries(fields).map(([field, { schemas }]) => [field, shownSchema(schemas)]))
  const codecs = new Map(Object.entries(shown).map(([field, schema]) => [field, codecOf(name, field, schema)]))
  const orders = ordersOf(codecs)
  const version = options.version ?? 1
  invariant(Number.isSafeInteger(version) && version >= 1, `Model "${name}" must have an integral version from 1 on`)
  const lifted = options.lift === undefined ? version : toVersion(options.lift.chain)
  invariant(lifted === version, `Model "${name}" has version ${version}, and its lift leads to version ${lifted}`)
  const liftedLocal = options.liftLocal === undefined ? version : toVersion(options.liftLocal.chain)
  invariant(
    liftedLocal === version,
    `Model "${name}" has version ${version}, and its liftLocal leads to version ${liftedLocal}`
  )
  const local = options.mode === "local" || (options.mode !== "replicate" && replicatedFields.length === 0)
  const isMixed = !local && localFields.length > 0
  invariant(
    options.liftLocal === undefined || isMixed,
    `Model "${name}" has a liftLocal: only the local fields of a mixed model need one`
  )
  const uniqueFields = (options.unique ?? []) as ReadonlyArray<string>
  const indexes = (options.indexes ?? []) as ReadonlyArray<string>
  checkIndexes(name, { kept: local ? localFields : replicatedFields, indexes, unique: uniqueFields }, codecs, orders)
  const references = referencesOf(options, { className, name })
  const writes: Writes = { create: "anyone", change: "anyone", ...options.writes }
  const byCommands = writes.create === "commands" || writes.change === "commands"
  invariant(!local || !byCommands, `Model "${name}" is local: no command writes it`)
  const cascades = references.some(({ onDelete }) => onDelete === "cascade")
  invariant(!cascades || writes.change !== "never", `Model "${name}" is append-only: no deletion cascades to it`)
  const guarded = guardedOf(name, fields, (field, value) => Schema.encodeUnknownSync(codecs.get(field)!)(value))
  const indexedFields = [
    ...new Set([
      ...uniqueFields,
      ...references.map(({ field }) => field),
      ...(guarded?.owner === undefined ? [] : [guarded.owner]),
      ...indexes
    ])
  ]
  const access = options.access as AccessRules | undefined
  const unseen = [...(guarded?.hidden ?? []), ...Object.keys(guarded?.masked ?? {})]
  const unseenKey = unseen.find((field) => uniqueFields.includes(field) || references.some((it) => it.field === field))
  invariant(
    unseenKey === undefined,
    `Model "${name}": ${unseenKey} is hidden or masked, so it can be neither unique nor a reference: a refusal would tell its value`
  )
  checkAccess(name, access, { idField, isLocal: local, kept: local ? localFields : replicatedFields, indexedFields })
  const shape = local ? shapes.local : shapes.replicated
  const { check, names } = checkerOf(name, shape, options.check as Rules<never> | undefined)
  return {
    name,
    path: options.path ?? pathOfName(name),
    version,
    mode: local ? "local" : localFields.length === 0 ? "replicated" : "mixed",
    idField,
    ids: idsOf(shownSchema(fields[idField]!.schemas)),
    replicatedFields,
    localFields,
    uniqueFields,
    indexedFields,
    references,
    writes,
    access,
    isServed: options.http !== false,
    guarded,
    ruleNames: names,
    brokenRule: check,
    orders,
    fields: shown,
    codecs: { record: validator(shape), localPart: validator(shapes.local) },
    read: readersOf({
      version,
      record: shape,
      localPart: Schema.Struct(partFields(fields, localFields)),
      lift: options.lift?.chain,
      liftLocal: options.liftLocal?.chain
    }),
    fingerprint: once(() =>
      fingerprintOf([
        version,
        shape.ast,
        shapes.local.ast,
        options.lift?.chain,
        options.liftLocal?.chain,
        uniqueFields,
        references,
        options.check
      ])
    ),
    mergeShapes: { record: shapeOf(jsonCodec(shape).ast), localPart: shapeOf(jsonCodec(shapes.local).ast) }
  }
}

/** The schema of a field in answers. A hidden field is in none, but nodes read and index it all the same. */
const shownSchema = (schemas: { readonly json?: unknown; readonly replicated?: unknown }): FieldSchema =>
  (schemas.json ?? schemas.replicated) as FieldSchema

const partFields = (fields: { readonly [name: string]: Field }, names: ReadonlyArray<string>): Schema.Struct.Fields =>
  Object.fromEntries(names.map((name) => [name, (fields[name]!.schemas as { readonly local: Schema.Top }).local]))

const ordersOf = (codecs: ReadonlyMap<string, Schema.Codec<unknown, Schema.Json>>): ReadonlyMap<string, FieldOrder> => {
  const orders = Array.from(codecs, ([field, { ast }]) => [field, orderOf(ast)] as const)
  return new Map(orders.flatMap(([field, order]) => (order === undefined ? [] : [[field, order]])))
}

/** A model that refers to itself may name its class. */
const referencesOf = (
  options: Options<Mode, Fields>,
  { className, name }: { readonly className: string; readonly name: string }
): ReadonlyArray<Reference> =>
  Object.entries<ReferenceOption | undefined>(options.references ?? {}).flatMap(([field, reference]) => {
    if (reference === undefined) return []
    const { model, onDelete } = reference
    const target = typeof model === "string" ? model : describe(model).name
    return [{ field, model: target === className ? name : target, onDelete }]
  })

/**
 * Declares a model.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * class User extends Model.Class<User>("User")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   email: Schema.NonEmptyString.pipe(Model.replicate),
 *   cacheData: Model.local(Schema.String)
 * }, { unique: ["email"] }) {}
 * ```
 */
export const Class = <Self = never>(name: string): Declare<Self> => {
  const declare = (fields: Fields, options: Options<Mode, Fields> = {}) => {
    const moded = withModes(fields, options.mode ?? "fields")
    const Base = variants.Class<object>(name)(moded)
    const descriptor = describeFields(name, moded, options, Base)
    return Object.defineProperty(Base, "~lithair/model", { value: descriptor })
  }
  return declare as unknown as Declare<Self>
}

/** Declares the fields and options of a model. A model that says who may use it has another type than one that does not. */
export interface Declare<Self> {
  <const F extends Fields, const M extends Mode = "fields">(
    fields: F & Check<F, BareMode<F, M>>,
    options: Options<M, NoInfer<F>> & Ruling<Extract<keyof NoInfer<F>, string>>
  ): Declared<Self, F, M, true>
  <const F extends Fields, const M extends Mode = "fields">(
    fields: F & Check<F, BareMode<F, M>>,
    options?: Options<M, NoInfer<F>>
  ): Declared<Self, F, M, false>
}

type Declared<Self, F extends Fields, M extends Mode, IsRuled extends boolean> = [Self] extends [never]
  ? "Missing `Self`: write Model.Class<Self>(…)"
  : ModelClass<Self, Moded<F, BareMode<F, M>>, IsRuled>

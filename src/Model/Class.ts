/** The declaration of a model: a class whose fields, one by one or all at once, say where they are kept. */
import * as Schema from "effect/Schema"
import type * as VariantSchema from "effect/schema/VariantSchema"
import type { Rules as AccessRules } from "../Access/Rule.ts"
import { invariant } from "../Invariant.ts"
import { checkId, checkIndexes, checkName, checkPath, codecOf } from "./Declaring.ts"
import { checkAccess } from "./DeclaringAccess.ts"
import { type Descriptor, type FieldSchema, type Kept, validator } from "./Descriptor.ts"
import {
  type Field,
  type IdField,
  type OwnField,
  own,
  type ReplicatedField,
  replicate,
  type Variant,
  variants
} from "./Field.ts"
import { type FieldOrder, orderOf } from "./FieldOrder.ts"
import { fingerprintOf } from "./Fingerprint.ts"
import { guardedOf } from "./GuardedFields.ts"
import { idsOf } from "./Id.ts"
import { jsonCodec } from "./JsonCodec.ts"
import { type JsonOf, type Lift, toVersion } from "./Lift.ts"
import { shapeOf } from "./MergePatch.ts"
import { pathOfName } from "./Path.ts"
import { checkerOf, type Reference, type Rules, type Writes } from "./Rules.ts"
import { readersOf } from "./StoredRecord.ts"

/** The mode of a whole model. `fields` means that each field says its own. */
export type Mode = "replicate" | "local" | "fields"

/** The fields of a declaration: bare schemas, and fields with a mode. */
export interface Fields {
  readonly [name: string]: Schema.Top | Field
}

type Marked<Kind extends string> = { readonly "~lithair/mode": Kind }

/** The mode of bare fields: the model's mode, or replicated as soon as one field is, or otherwise unknown. */
type BareMode<F, M extends Mode> = M extends "fields"
  ? [Extract<F[keyof F], Marked<"replicate">>] extends [never]
    ? [Extract<F[keyof F], Marked<"local">>] extends [never]
      ? "none"
      : "unsaid"
    : "replicate"
  : M

/** Turns a field without a known mode into a compile error that tells what to write. */
type Check<F, Bare> = {
  readonly [K in keyof F]: F[K] extends Schema.Top
    ? Bare extends "none" | "unsaid"
      ? "this field has no mode: mark it Model.replicate(…) or Model.local(…), or give the model { mode }"
      : unknown
    : F[K] extends Marked<"id">
      ? Bare extends "none"
        ? "this model has no mode: mark a field Model.replicate(…) or Model.local(…), or give the model { mode }"
        : unknown
      : F[K] extends Marked<"replicate">
        ? Bare extends "local"
          ? "a local model has no replicated field"
          : unknown
        : unknown
}

/** Each bare schema as the field that its model's mode makes of it. */
export type Moded<F, Bare> = {
  readonly [K in keyof F]: F[K] extends Schema.Top
    ? Bare extends "local"
      ? OwnField<F[K]>
      : ReplicatedField<F[K]>
    : F[K]
}

/** The fields that may be unique: the replicated ones, since only the cluster can compare all values. */
type UniqueName<F, Bare> = {
  [K in keyof F]: F[K] extends Marked<"replicate">
    ? K
    : F[K] extends Schema.Top
      ? Bare extends "replicate"
        ? K
        : never
      : never
}[keyof F]

/** The fields that may be indexed: those of the record that one log keeps whole. */
type IndexName<F, Bare> =
  | UniqueName<F, Bare>
  | { [K in keyof F]: F[K] extends Schema.Top ? (Bare extends "local" ? K : never) : never }[keyof F]

/** The fields that may hold the id of another record: replicated texts. */
type ReferenceName<F, Bare> = {
  [K in keyof F]: (F[K] extends ReplicatedField<infer S> ? S : F[K]) extends {
    readonly Encoded: string | null | undefined
  }
    ? Extract<K, UniqueName<F, Bare>>
    : never
}[keyof F]

/** A record as its log holds it, decoded. For a mixed model this is the replicated part. */
type KeptRecord<F extends Fields, Bare> = VariantSchema.Extract<
  Bare extends "local" ? "local" : "replicated",
  VariantSchema.Struct<Moded<F, Bare>>
>["Type"]

/** A record as its log holds it, as JSON. */
type KeptJson<F extends Fields, Bare> = JsonOf<
  VariantSchema.Extract<Bare extends "local" ? "local" : "replicated", VariantSchema.Struct<Moded<F, Bare>>>["Encoded"]
>

/** The local fields of a mixed record, as JSON. */
type LocalJson<F extends Fields, Bare> = JsonOf<
  Omit<
    VariantSchema.Extract<"local", VariantSchema.Struct<Moded<F, Bare>>>["Encoded"],
    { [K in keyof F]: F[K] extends Marked<"id"> ? K : never }[keyof F]
  >
>

/** The target of a model's reference. */
export interface ReferenceOption {
  /**
   * The other model: its class, or the name that it is stored as if the class does not exist yet or is the one being
   * declared.
   */
  readonly model: Described<"replicated" | "mixed"> | string
  readonly onDelete: Reference["onDelete"]
}

/** The options of a model besides its fields. */
export interface Options<M extends Mode, F extends Fields> {
  /** The mode of bare fields. Without it, one replicated field makes them replicated. */
  readonly mode?: M
  /** Replicated fields whose value is unique among records. Absent and null values may repeat. */
  readonly unique?: ReadonlyArray<UniqueName<F, BareMode<F, M>>>
  /** Fields by which lists find records without a full scan. Unique fields and references always are. */
  readonly indexes?: ReadonlyArray<IndexName<F, BareMode<F, M>>>
  /** Fields that hold the id of an existing record. An absent or null value refers to no record. */
  readonly references?: {
    readonly [K in keyof F]?: K extends ReferenceName<F, BareMode<F, M>> ? ReferenceOption : never
  }
  /** Rules for every record, checked on each write. A rule must be quick, and depend on the record only. */
  readonly check?: Rules<KeptRecord<F, BareMode<F, M>>>
  /**
   * Who may create records, and who may change and delete them; everyone by default. `change: "never"` makes the model
   * append-only.
   */
  readonly writes?: Partial<Writes>
  /**
   * Who may do what with the records. Rules hold once the application has `auth`: then a model needs rules, or
   * `http: false`.
   */
  readonly access?: AccessRules<Extract<keyof F, string>>
  /** `false`: HTTP does not know the model. Commands and the application's own code use it. */
  readonly http?: boolean
  /** The model's path under `/api`. By default the name in kebab case, plural. */
  readonly path?: string
  /**
   * The model's name in the log and in the API, if it is not that of the class: the name that the model had before its
   * class got another one. So a renamed class keeps its records, and clients and nodes of both releases understand each
   * other. Its default path follows from this name too.
   */
  readonly storedAs?: string
  /** The version of the record's shape, at least 1. A node with an older version does not write this model. */
  readonly version?: number
  /**
   * Brings records of earlier versions into this one, from the oldest that is still stored: see {@link from}. It must end
   * with the fields of the record that the log keeps. Without it, earlier versions have the same shape.
   */
  readonly lift?: Lift<KeptJson<F, BareMode<F, M>>>
  /**
   * Brings the local fields of a mixed record from earlier versions into this one, in the same way. Its fields are the
   * local ones alone, without the id.
   */
  readonly liftLocal?: Lift<LocalJson<F, BareMode<F, M>>>
}

/** A model: the schema of its rows, a schema for each other variant, and its {@link Descriptor}. */
export type ModelClass<Self, F extends VariantSchema.Struct.Fields> = VariantSchema.Class<
  Self,
  F,
  Schema.Struct<VariantSchema.ExtractFields<"row", F, true>>,
  Variant,
  "row"
> & { readonly [V in Variant]: VariantSchema.Extract<V, VariantSchema.Struct<F>> } & Described<KeptAs<F>, IdIn<F>>

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
  const hidden = guarded?.hidden ?? []
  const hiddenKey = hidden.find((field) => uniqueFields.includes(field) || references.some((it) => it.field === field))
  invariant(
    hiddenKey === undefined,
    `Model "${name}": ${hiddenKey} is hidden, so it can be neither unique nor a reference: a refusal would tell its value`
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

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

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
export const Class =
  <Self = never>(name: string) =>
  <const F extends Fields, const M extends Mode = "fields">(
    fields: F & Check<F, BareMode<F, M>>,
    options?: Options<M, NoInfer<F>>
  ): [Self] extends [never]
    ? "Missing `Self`: write Model.Class<Self>(…)"
    : ModelClass<Self, Moded<F, BareMode<F, M>>> => {
    const moded = withModes(fields as Fields, options?.mode ?? "fields")
    const Base = variants.Class<object>(name)(moded)
    const descriptor = describeFields(name, moded, (options ?? {}) as unknown as Options<Mode, Fields>, Base)
    return Object.defineProperty(Base, "~lithair/model", { value: descriptor }) as never
  }

/** What a model's declaration may say: its fields with their modes, and its options. Types only. */
import type * as Schema from "effect/Schema"
import type * as VariantSchema from "effect/schema/VariantSchema"
import type { Rules as AccessRules } from "../Access/Rule.ts"
import type { Descriptor } from "./Descriptor.ts"
import type { Field, OwnField, ReplicatedField } from "./Field.ts"
import type { JsonOf, Lift } from "./Lift.ts"
import type { Reference, Rules, Writes } from "./Rules.ts"

/** The mode of a whole model. `fields` means that each field says its own. */
export type Mode = "replicate" | "local" | "fields"

/** The fields of a declaration: bare schemas, and fields with a mode. */
export interface Fields {
  readonly [name: string]: Schema.Top | Field
}

/** A field of this mode. */
export type Marked<Kind extends string> = { readonly "~lithair/mode": Kind }

/** The mode of bare fields: the model's mode, or replicated as soon as one field is, or otherwise unknown. */
export type BareMode<F, M extends Mode> = M extends "fields"
  ? [Extract<F[keyof F], Marked<"replicate">>] extends [never]
    ? [Extract<F[keyof F], Marked<"local">>] extends [never]
      ? "none"
      : "unsaid"
    : "replicate"
  : M

/** Turns a field without a known mode into a compile error that tells what to write. */
export type Check<F, Bare> = {
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
  readonly model: { readonly "~lithair/model": Descriptor<"replicated" | "mixed"> } | string
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

/** Says who may use a model: rules, or nobody over HTTP. */
export type Ruling<Field extends string> = { readonly access: AccessRules<Field> } | { readonly http: false }

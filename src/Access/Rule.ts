/**
 * Rules that say who may do what, as data: a rule compares fields of a record with values of the caller and with
 * literals. It holds no function, since a list cannot be searched by a function. Pure. docs/access.md.
 */
import type * as Schema from "effect/Schema"

/** A value that a rule compares a field with: a literal, the caller's id, or one of the caller's claims. */
export type Value =
  | { readonly _tag: "Literal"; readonly value: Schema.Json }
  | { readonly _tag: "Id" }
  | { readonly _tag: "Claim"; readonly name: string }

/** Values that a rule looks for a field in: literals, a claim that is a list, or a declared set of the caller. */
export type Values =
  | { readonly _tag: "Literals"; readonly values: ReadonlyArray<Schema.Json> }
  | { readonly _tag: "Claims"; readonly name: string }
  | { readonly _tag: "Set"; readonly name: string }

/** A rule. Null equals nothing: neither an absent claim nor an empty field, not even another null. */
export type Rule =
  | { readonly _tag: "Anyone" }
  | { readonly _tag: "Nobody" }
  | { readonly _tag: "SignedIn" }
  | { readonly _tag: "Is"; readonly role: string }
  | { readonly _tag: "Equals"; readonly field: string; readonly value: Value }
  | { readonly _tag: "In"; readonly field: string; readonly values: Values }
  | { readonly _tag: "Any"; readonly rules: ReadonlyArray<Rule> }
  | { readonly _tag: "All"; readonly rules: ReadonlyArray<Rule> }

/** The acts on a record that a model's rules speak of. */
export type Action = "read" | "create" | "update" | "delete"

/** The rules of a model. `Field` has the names of its fields. */
export interface Rules<out Field extends string = string> {
  readonly _tag: "Rules"
  /** Whether lists may look at every record where a rule names no index. */
  readonly scan: boolean
  readonly actions: Readonly<Record<Action, Rule>>
  /** For the compiler alone: the fields that the rules name. */
  readonly "~fields"?: Field
}

/** A field of the record in a rule. */
export interface FieldOperand {
  /** Holds if the field equals the value. */
  readonly eq: (value: Value | string | number | boolean) => Rule
  /** Holds if the field is one of the values. */
  readonly in: (values: Values | ReadonlyArray<string | number | boolean>) => Rule
}

/** The caller in a rule. */
export interface Who {
  /** The id of the principal. Anonymous callers have none. */
  readonly id: Value
  /** Holds for principals with a role. */
  readonly is: (role: string) => Rule
  /** A claim of the credential. */
  readonly claim: (name: string) => Value
  /** A claim that is a list. */
  readonly claims: (name: string) => Values
  /** A set that the application's `auth` declares. */
  readonly set: (name: string) => Values
}

/** What a rule is made of. */
export interface Scope<in out Field extends string = string> {
  readonly row: { readonly [F in Field]: FieldOperand }
  readonly who: Who
}

/** The caller, for the rules of commands and projections: `Access.who.is("staff")`. The rules of a model are given it. */
export const who: Who = {
  id: { _tag: "Id" },
  is: (role) => ({ _tag: "Is", role }),
  claim: (name) => ({ _tag: "Claim", name }),
  claims: (name) => ({ _tag: "Claims", name }),
  set: (name) => ({ _tag: "Set", name })
}

/** Everyone, signed in or not. */
export const anyone: Rule = { _tag: "Anyone" }

/** Nobody but the application itself. */
export const nobody: Rule = { _tag: "Nobody" }

/** Everyone who showed a credential. */
export const signedIn: Rule = { _tag: "SignedIn" }

/** Holds if one of the rules does. */
export const any = (...rules: ReadonlyArray<Rule>): Rule => ({ _tag: "Any", rules })

/** Holds if all of the rules do. */
export const all = (...rules: ReadonlyArray<Rule>): Rule => ({ _tag: "All", rules })

const operand = (field: string): FieldOperand => ({
  eq: (value) => ({
    _tag: "Equals",
    field,
    value: typeof value === "object" ? value : { _tag: "Literal", value }
  }),
  in: (values) => ({
    _tag: "In",
    field,
    values: "_tag" in values ? values : { _tag: "Literals", values }
  })
})

/** Any name is a field here. The model's declaration checks the names. */
const row = new Proxy({} as Record<string, FieldOperand>, {
  get: (_, name) => (typeof name === "string" ? operand(name) : undefined)
})

/**
 * Declares who may read, create, update and delete the records of a model. Create is judged on the new record, update on
 * the old and the new one.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Access, Model } from "lithair"
 *
 * class Note extends Model.Class<Note>("Note")({
 *   id: Model.id(Schema.String),
 *   ownerId: Model.owner,
 *   text: Model.replicate(Schema.String)
 * }, {
 *   access: Access.rules(({ row, who }) => ({
 *     read: Access.any(who.is("staff"), row.ownerId.eq(who.id)),
 *     create: Access.signedIn,
 *     update: row.ownerId.eq(who.id),
 *     delete: who.is("staff")
 *   }))
 * }) {}
 * ```
 */
export const rules = <Field extends string = string>(
  build: (scope: Scope<Field>) => Readonly<Record<Action, Rule>>,
  options: { readonly scan?: true } = {}
): Rules<Field> => {
  const { create, delete: remove, read, update } = build({ row: row as Scope<Field>["row"], who })
  return { _tag: "Rules", scan: options.scan === true, actions: { read, create, update, delete: remove } }
}

/** The fields that a rule names. */
export const fieldsOf = (rule: Rule): ReadonlyArray<string> => {
  switch (rule._tag) {
    case "Equals":
    case "In":
      return [rule.field]
    case "Any":
    case "All":
      return rule.rules.flatMap(fieldsOf)
    default:
      return []
  }
}

/** The sets that a rule names. */
export const setsOf = (rule: Rule): ReadonlyArray<string> => {
  switch (rule._tag) {
    case "In":
      return rule.values._tag === "Set" ? [rule.values.name] : []
    case "Any":
    case "All":
      return rule.rules.flatMap(setsOf)
    default:
      return []
  }
}

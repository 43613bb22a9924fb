/** The end of a model: its name in the list of models, in place of its class. Pure. docs/evolution.md. */
import { invariant } from "../Invariant.ts"
import { type Described, describe } from "./Class.ts"
import { checkName } from "./Declaring.ts"

/** A model that has ended. */
export interface Dropped {
  readonly "~lithair/dropped": string
}

/**
 * Ends a model: once every member's release says so, the cluster forgets its records. Leave it in the list of models
 * until `GET /_admin/api/models` counts no record of it.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Lithair, Model } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * export const node = Lithair.layer({ models: [Product, Model.dropped("Cart")] })
 * ```
 */
export const dropped = (name: string): Dropped => {
  checkName(name)
  return { "~lithair/dropped": name }
}

/** The models of a list, and the names of those that have ended. No model may be both, or refer to one that has ended. */
export const split = (
  list: ReadonlyArray<Described | Dropped>
): { readonly models: ReadonlyArray<Described>; readonly dropped: ReadonlyArray<string> } => {
  const models = list.filter((each): each is Described => "~lithair/model" in each)
  const dropped = list.flatMap((each) => ("~lithair/dropped" in each ? [each["~lithair/dropped"]] : []))
  for (const { name, references } of models.map(describe)) {
    invariant(!dropped.includes(name), `Model "${name}" is declared and dropped`)
    const broken = references.find(({ model }) => dropped.includes(model))
    invariant(
      broken === undefined,
      `Model "${name}", field "${broken?.field}": it refers to ${broken?.model}, which is dropped`
    )
  }
  return { models, dropped }
}

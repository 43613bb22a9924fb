/** The models of the example cluster: one replicated, one mixed, one that stays on each node. */
import { Schema } from "effect"
import * as Model from "../src/Model.ts"
import { NonNegative } from "./Money.ts"

const Id = Schema.String.check(Schema.isUUID())

/** One `replicate` distributes the whole model. */
export class Product extends Model.Class<Product>("Product")({
  id: Model.id(Id),
  name: Schema.NonEmptyString.pipe(Model.replicate),
  price: NonNegative,
  category: Schema.optionalKey(Schema.NonEmptyString)
}) {}

/** Every node agrees on the email; each keeps its own `cacheData`. */
export class User extends Model.Class<User>("User")(
  {
    id: Model.id(Id),
    email: Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/, { message: "Expected an email address" })).pipe(
      Model.replicate
    ),
    cacheData: Model.local(Schema.String)
  },
  { unique: ["email"] }
) {}

/** A cache: it never leaves the node that wrote it. */
export class ProductView extends Model.Class<ProductView>("ProductView")(
  { id: Model.id(Id), productId: Id, renderedHtml: Schema.String },
  { mode: "local" }
) {}

export const models = [Product, User, ProductView]

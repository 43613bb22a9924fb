/** A package of models that other packages share: every exported type can be named in its declarations. */
import { Schema } from "effect"
import { Command, Model, Projection } from "lithair"

export const ProductId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ProductId"))

export class Product extends Model.Class<Product>("Product")({
  id: Model.id(ProductId),
  name: Schema.NonEmptyString.pipe(Model.replicate),
  price: Schema.Int,
  note: Schema.optionalKey(Schema.String)
}) {}
export class User extends Model.Class<User>("User")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    email: Model.replicate(Schema.NonEmptyString),
    cacheData: Model.local(Schema.String)
  },
  { unique: ["email"] }
) {}
export class View extends Model.Class<View>("View")(
  { id: Model.id(Schema.String.check(Schema.isUUID())), html: Schema.String },
  { mode: "local" }
) {}
export class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
export const buy = Command.make("buy", {
  payload: Schema.Struct({ productId: ProductId, count: Schema.Int }),
  success: Product,
  error: [SoldOut]
})
export const total = Projection.make("total", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (n) => n + 1
})
export const byName = Projection.make("byName", {
  from: [Product],
  version: 1,
  state: Schema.Struct({ n: Schema.Int }),
  initial: { n: 0 },
  key: ({ record }) => record.name,
  evolve: ({ n }) => ({ n: n + 1 })
})
export const models = [Product, User, View]

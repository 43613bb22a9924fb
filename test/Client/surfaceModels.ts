/** What the contract of a repository uses: a model of each mode, a branded id, a command, and projections of both kinds. */
import { Effect, Layer, Schema } from "effect"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"

export const ProductId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ProductId"))

/** Replicated, with a rule and a unique field. */
export class Product extends Model.Class<Product>("Product")(
  {
    id: Model.id(ProductId),
    name: Schema.NonEmptyString.pipe(Model.replicate),
    price: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    category: Schema.optionalKey(Schema.String)
  },
  { unique: ["name"], check: { cheap: ({ price }) => price < 1_000 } }
) {}

/** The same model in a program of another release, to which the names of most products are too long. */
export class TerseProduct extends Model.Class<TerseProduct>("Product")({
  id: Model.id(ProductId),
  name: Schema.String.check(Schema.isMaxLength(2)).pipe(Model.replicate)
}) {}

/** Replicated, but for its draft. It refers to a product. */
export class Review extends Model.Class<Review>("Review")(
  {
    id: Model.id(Schema.String),
    productId: Model.replicate(ProductId),
    text: Schema.String.pipe(Model.replicate),
    draft: Model.local(Schema.String)
  },
  { references: { productId: { model: Product, onDelete: "restrict" } } }
) {}

/** Local to each node. */
export class View extends Model.Class<View>("View")({
  id: Model.id(Schema.String),
  html: Model.local(Schema.String)
}) {}

/** Changed by commands only. */
export class Stock extends Model.Class<Stock>("Stock")(
  { id: Model.id(Schema.String), left: Schema.Int.pipe(Model.replicate) },
  { writes: { change: "commands" } }
) {}

export class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}

export const take = Command.make("take", {
  payload: Schema.Struct({ id: Schema.String, count: Schema.Int.check(Schema.isGreaterThan(0)) }),
  success: Stock,
  error: [SoldOut]
})

const takeLayer = Command.layer(
  take,
  Effect.fnUntraced(function* ({ count, id }) {
    const { get, patch } = yield* Command.Transaction
    const { left } = yield* get(Stock, id)
    if (left < count) return yield* new SoldOut({ left })
    return yield* patch(Stock, id, { left: left - count })
  })
)

export const count = Projection.make("count", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (counted, { type }) => counted + (type === "created" ? 1 : 0)
})

export const byCategory = Projection.make("by-category", {
  from: [Product],
  version: 1,
  state: Schema.Struct({ count: Schema.Int }),
  initial: { count: 0 },
  key: ({ record }) => record.category,
  evolve: ({ count }, { type }) => ({ count: count + (type === "created" ? 1 : 0) })
})

/** These are of no node: a program of another release names them. */
export class Elsewhere extends Model.Class<Elsewhere>("Elsewhere")({
  id: Model.id(Schema.String),
  text: Schema.String.pipe(Model.replicate)
}) {}
export const nowhere = Command.make("nowhere", { payload: Schema.Struct({}), success: Schema.Null })
export const never = Projection.make("never", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (counted) => counted
})

/** Its success and its error hold JSON, which a schema decodes to itself. */
export class Echoed extends Schema.TaggedError<Echoed>()("Echoed", { json: Schema.Json }) {}
export const echo = Command.make("echo", {
  payload: Schema.Struct({ json: Schema.Json, fails: Schema.Boolean }),
  success: Schema.Json,
  error: [Echoed]
})
const echoLayer = Command.layer(echo, ({ fails, json }) =>
  fails ? Effect.fail(new Echoed({ json })) : Effect.succeed(json)
)

/** Its state holds JSON too. */
export const names = Projection.make("names", {
  from: [Product],
  version: 1,
  state: Schema.Struct({ names: Schema.Json }),
  initial: { names: [] },
  evolve: ({ names }, { record }) => ({ names: [...(names as ReadonlyArray<string>), record.name] })
})
export const namesByCategory = Projection.make("names-by-category", {
  from: [Product],
  version: 1,
  state: Schema.Struct({ names: Schema.Json }),
  initial: { names: [] },
  key: ({ record }) => record.category,
  evolve: ({ names }, { record }) => ({ names: [...(names as ReadonlyArray<string>), record.name] })
})

export const application = {
  models: [Product, Review, View, Stock],
  commands: [take, echo],
  projections: [count, byCategory, names, namesByCategory]
}
export const handlers = Layer.merge(takeLayer, echoLayer)

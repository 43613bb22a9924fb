/** A node of one model with three indexes, to measure how fast it starts again and what its records take. */
import { Schema } from "effect"
import { Lithair } from "lithair"
import * as Model from "lithair/model"
import { run } from "lithair/node"

class Item extends Model.Class<Item>("Item")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    name: Model.replicate(Schema.NonEmptyString),
    sku: Schema.NonEmptyString,
    category: Schema.NonEmptyString,
    price: Schema.Int
  },
  { unique: ["sku"], indexes: ["category", "price"] }
) {}

run(Lithair.layerHttp({ models: [Item] }))

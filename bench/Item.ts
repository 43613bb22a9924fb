/** The model of the lines that measure many records: a row of some 130 bytes with three indexes. */
import { Schema } from "effect"
import * as Model from "lithair/model"

export class Item extends Model.Class<Item>("Item")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    name: Model.replicate(Schema.NonEmptyString),
    sku: Schema.NonEmptyString,
    category: Schema.NonEmptyString,
    price: Schema.Int
  },
  { unique: ["sku"], indexes: ["category", "price"] }
) {}

/** The models of the example cluster. */
import { Schema } from "effect"
import * as Model from "../src/Model.ts"

const Id = Schema.String.check(Schema.isUUID())

export class Product extends Model.Class<Product>("Product")({
  id: Model.id(Id),
  name: Schema.NonEmptyString.pipe(Model.replicate),
  price: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
  category: Schema.optionalKey(Schema.String)
}) {}

export const models = [Product]

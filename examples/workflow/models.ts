/** The records of the example: what was paid for an order, and whether it was paid back. */
import { Schema } from "effect"
import { Model } from "lithair"

export class Payment extends Model.Class<Payment>("Payment")(
  {
    /** The id of its order: an order is paid once. */
    id: Model.id(Schema.String),
    cents: Schema.Int,
    state: Schema.Literals(["charged", "refunded"])
  },
  { mode: "replicate" }
) {}

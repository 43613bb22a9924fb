/** The models on which the nodes agree: shows with seats, and sold tickets. A browser may import them. */
import { Schema } from "effect"
import * as Command from "lithair/command"
import * as Model from "lithair/model"

export const Id = Schema.String.check(Schema.isUUID())

/** A show. Only the command sells its seats. */
export class Show extends Model.Class<Show>("Show")(
  {
    id: Model.id(Id),
    title: Schema.NonEmptyString.pipe(Model.replicate),
    seats: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
  },
  { writes: { change: "commands" } }
) {}

/** A ticket, made by the command and never changed. */
export class Ticket extends Model.Class<Ticket>("Ticket")(
  { id: Model.id(Id), showId: Model.replicate(Id), holder: Schema.NonEmptyString },
  {
    references: { showId: { model: Show, onDelete: "restrict" } },
    indexes: ["showId", "holder"],
    writes: { create: "commands", change: "never" }
  }
) {}

/** There is no seat left. */
export class SoldOut extends Schema.TaggedError<SoldOut>()(
  "SoldOut",
  { show: Schema.String },
  { httpApiStatus: 409 }
) {}

/** Sells one seat of a show. */
export const buyTicket = Command.make("buyTicket", {
  payload: Schema.Struct({ showId: Id, holder: Schema.NonEmptyString }),
  success: Ticket,
  error: [SoldOut]
})

/** The models on which the nodes agree: shows with seats, and sold tickets. A browser may import them. */
import { Schema } from "effect"
import * as Access from "lithair/access"
import * as Command from "lithair/command"
import * as Model from "lithair/model"

export const Id = Schema.String.check(Schema.isUUID())

/** A show. Only the command sells its seats. The organizer alone opens shows, and sees them. */
export class Show extends Model.Class<Show>("Show")(
  {
    id: Model.id(Id),
    title: Schema.NonEmptyString.pipe(Model.replicate),
    seats: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
  },
  {
    writes: { change: "commands" },
    access: Access.rules(({ who }) => ({
      read: who.is("organizer"),
      create: who.is("organizer"),
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}

/** A ticket, made by the command and never changed. Its owner sees it; the code at the door is mailed, and in no answer. */
export class Ticket extends Model.Class<Ticket>("Ticket")(
  {
    id: Model.id(Id),
    ownerId: Model.owner,
    showId: Model.replicate(Id),
    holder: Schema.NonEmptyString,
    code: Model.hidden(Schema.NonEmptyString)
  },
  {
    references: { showId: { model: Show, onDelete: "restrict" } },
    indexes: ["showId", "holder"],
    writes: { create: "commands", change: "never" },
    access: Access.rules(({ row, who }) => ({
      read: Access.any(who.is("organizer"), row.ownerId.eq(who.id)),
      create: Access.nobody,
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}

/** There is no seat left. */
export class SoldOut extends Schema.TaggedError<SoldOut>()(
  "SoldOut",
  { show: Schema.String },
  { httpApiStatus: 409 }
) {}

/** A ticket as visitors see it. */
export const Bought = Schema.Struct({ id: Id, showId: Id, holder: Schema.NonEmptyString })

/** Sells one seat of a show to who calls it. */
export const buyTicket = Command.make("buyTicket", {
  payload: Schema.Struct({ showId: Id }),
  success: Bought,
  error: [SoldOut],
  access: Access.signedIn
})

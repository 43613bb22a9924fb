/** The models on which the nodes agree: shows with seats, and sold tickets. A browser may import them. */
import { Schema } from "effect"
import * as Access from "lithair/access"
import * as Command from "lithair/command"
import * as Model from "lithair/model"

export const Id = Schema.String.check(Schema.isUUID())

/**
 * A show, which everyone may see. The organizer opens it, and the command alone sells its seats. The briefing is for those
 * who work there: for others it is as if a show had none.
 */
export class Show extends Model.Class<Show>("Show")(
  {
    id: Model.id(Id),
    title: Schema.NonEmptyString.pipe(Model.replicate),
    seats: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })),
    briefing: Model.masked(Schema.String, { roles: ["organizer", "staff"], initial: "" })
  },
  {
    writes: { change: "commands" },
    access: Access.rules(({ who }) => ({
      read: Access.anyone,
      create: who.is("organizer"),
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}

/**
 * A ticket, which commands sell and admit. Its owner and the staff see it; the code at the door is mailed, and in no answer.
 */
export class Ticket extends Model.Class<Ticket>("Ticket")(
  {
    id: Model.id(Id),
    ownerId: Model.owner,
    showId: Model.replicate(Id),
    holder: Schema.NonEmptyString,
    code: Model.hidden(Schema.NonEmptyString),
    admitted: Model.commandOnly(Schema.Boolean, { initial: false })
  },
  {
    references: { showId: { model: Show, onDelete: "restrict" } },
    indexes: ["showId", "holder"],
    writes: { create: "commands", change: "commands" },
    access: Access.rules(({ row, who }) => ({
      read: Access.any(who.is("organizer"), who.is("staff"), row.ownerId.eq(who.id)),
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

/** The code does not fit the ticket, or somebody was admitted with it before. */
export class NotAdmitted extends Schema.TaggedError<NotAdmitted>()(
  "NotAdmitted",
  { why: Schema.Literals(["wrong-code", "admitted-before"]) },
  { httpApiStatus: 409 }
) {}

/** Admits the holder of a ticket, once. The staff at the door calls it. */
export const admit = Command.make("admit", {
  payload: Schema.Struct({ ticketId: Id, code: Schema.NonEmptyString }),
  success: Bought,
  error: [NotAdmitted],
  access: Access.who.is("staff")
})

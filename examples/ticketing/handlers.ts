/** The handlers of the commands, on the leader: it decides once who gets a seat, and who is let in. */
import { Effect, Layer } from "effect"
import { Command } from "lithair"
import { nameOf } from "./Caller.ts"
import { admit, buyTicket, NotAdmitted, Show, SoldOut, Ticket } from "./models.ts"

const buying = Command.layer(
  buyTicket,
  Effect.fnUntraced(function* ({ showId }) {
    const transaction = yield* Command.Transaction
    const holder = nameOf(yield* Command.Caller)
    const { seats, title } = yield* transaction.get(Show, showId)
    if (seats === 0) return yield* new SoldOut({ show: title })
    yield* transaction.patch(Show, showId, { seats: seats - 1 })
    // The ticket is owned by who called.
    const { id } = yield* transaction.create(Ticket, { showId, holder, code: yield* transaction.newId })
    return { id, showId, holder }
  })
)

const admitting = Command.layer(
  admit,
  Effect.fnUntraced(function* ({ code, ticketId }) {
    const transaction = yield* Command.Transaction
    const { admitted, holder, showId, ...ticket } = yield* transaction.get(Ticket, ticketId)
    if (ticket.code !== code) return yield* new NotAdmitted({ why: "wrong-code" })
    if (admitted) return yield* new NotAdmitted({ why: "admitted-before" })
    yield* transaction.patch(Ticket, ticketId, { admitted: true })
    return { id: ticketId, showId, holder }
  })
)

export const handlers = Layer.mergeAll(buying, admitting)

/** The handler of buying a ticket. The leader decides it once: a seat less and a ticket more, or neither. */
import { Effect } from "effect"
import { Command } from "lithair"
import { nameOf } from "./Caller.ts"
import { buyTicket, Show, SoldOut, Ticket } from "./models.ts"

export const handlers = Command.layer(
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

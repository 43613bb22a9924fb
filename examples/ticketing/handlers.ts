/** The handler of buying a ticket. The leader decides it once: a seat less and a ticket more, or neither. */
import { Effect } from "effect"
import { Command } from "lithair"
import { buyTicket, Show, SoldOut, Ticket } from "./models.ts"

export const handlers = Command.layer(
  buyTicket,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const transaction = yield* Command.Transaction
    const { seats, title } = yield* transaction.get(Show, showId)
    if (seats === 0) return yield* new SoldOut({ show: title })
    yield* transaction.patch(Show, showId, { seats: seats - 1 })
    return yield* transaction.create(Ticket, { showId, holder })
  })
)

/** Confirms each payment to the customer: here by a line on the leader's output, in a real shop by mail. */
import { Console, Effect } from "effect"
import { Reaction } from "lithair"
import { eventId } from "lithair/projection"
import { Order } from "./models.ts"

/** The reaction runs at least once. A mail service recognizes a copy by the event's id. */
export const confirmation = Reaction.make("confirmation", {
  from: [Order],
  run: (event) =>
    event.record.status === "paid"
      ? Console.log(`Mail ${eventId(event)}: order ${event.id} is paid, ${event.record.total}`)
      : Effect.void
})

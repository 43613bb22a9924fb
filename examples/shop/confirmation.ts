/** Confirms each payment to whoever ordered: here a line on the leader's output, in a real shop a mail. */
import { Console, Effect } from "effect"
import { Reaction } from "lithair"
import { eventId } from "lithair/projection"
import { Order } from "./models.ts"

/** At least once: the event's id is what a mail service tells a copy by. */
export const confirmation = Reaction.make("confirmation", {
  from: [Order],
  run: (event) =>
    event.record.status === "paid"
      ? Console.log(`Mail ${eventId(event)}: order ${event.id} is paid, ${event.record.total}`)
      : Effect.void
})

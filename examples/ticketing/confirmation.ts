/** Sends a mail for each ticket that is sold, from the leader, at least once. */
import { Context, Effect } from "effect"
import { Reaction } from "lithair"
import { eventId } from "lithair/projection"
import { Ticket } from "./models.ts"

/** Sends mails. `id` is the same for every copy of a mail. */
export class Mailer extends Context.Service<
  Mailer,
  { readonly send: (mail: { readonly id: string; readonly to: string; readonly text: string }) => Effect.Effect<void> }
>()("ticketing/Mailer") {}

export const confirmation = Reaction.make("confirmation", {
  from: [Ticket],
  run: (event) =>
    event.type === "created"
      ? Effect.flatMap(Mailer, ({ send }) =>
          send({
            id: eventId(event),
            to: event.record.holder,
            text: `Your ticket is ${event.id}, and your code at the door ${event.record.code}`
          })
        )
      : Effect.void
})

/** The declaration of a reaction: an effect that is run after each event of some models, at least once. */
import type { Effect } from "effect"
import { checkFollowed, checkName } from "../Projection/Definition.ts"
import { type EventOf, type EventsOf, eventsOf, type Followed } from "../Projection/Event.ts"

/** A reaction that needs `R`. */
export interface Reaction<R = never> {
  readonly name: string
  readonly startAt: "first" | "now"
  readonly eventsOf: EventsOf<ReadonlyArray<Followed>>
  run(event: EventOf<ReadonlyArray<Followed>>): Effect.Effect<unknown, unknown, R>
}

export interface ReactionOptions<Models extends ReadonlyArray<Followed>, E, R> {
  /** The models whose events it follows: none that is local. */
  readonly from: Models
  /** Where a reaction begins that no leader has run before: with the first event of all, unless said otherwise. */
  readonly startAt?: "first" | "now"
  /** Run again until it succeeds, and before any later event. What shall not be tried again must not fail. */
  readonly run: (event: EventOf<Models>) => Effect.Effect<unknown, E, R>
}

/**
 * Declares a reaction. It runs on the leader alone, in the order of the log, at least once for each event: after a
 * change of the leader the last few are run again. Whoever receives what it sends tells a copy by the event's id.
 *
 * @example
 * ```ts
 * import { Console, Schema } from "effect"
 * import { Model, Projection, Reaction } from "lithair"
 *
 * class Order extends Model.Class<Order>("Order")({
 *   id: Model.id(Schema.String),
 *   customer: Schema.String.pipe(Model.replicate)
 * }) {}
 *
 * const thankYou = Reaction.make("thank-you", {
 *   from: [Order],
 *   run: (event) =>
 *     event.type === "created"
 *       ? Console.log(`Mail ${Projection.eventId(event)}: thank you, ${event.record.customer}`)
 *       : Console.log(`Order ${event.id} was ${event.type}`)
 * })
 * ```
 */
export const make = <const Models extends ReadonlyArray<Followed>, E, R>(
  name: string,
  { from, run, startAt = "first" }: ReactionOptions<Models, E, R>
): Reaction<R> => {
  checkName("reaction", name)
  checkFollowed(`The reaction "${name}"`, from)
  // The models are known to the one who declares alone: what is run for has been read by these very models.
  return {
    name,
    startAt,
    eventsOf: eventsOf(from) as EventsOf<ReadonlyArray<Followed>>,
    run: run as Reaction<R>["run"]
  }
}

/** Declares a reaction: an effect that the leader runs after each event of some models, at least once. */
import type { Effect } from "effect"
import { checkFollowed, checkName } from "../Projection/Definition.ts"
import { type EventOf, type EventsOf, eventsOf, type Followed } from "../Projection/Event.ts"

/** A declared reaction whose effects need `R`. */
export interface Reaction<R = never> {
  readonly name: string
  readonly startAt: "beginning" | "now"
  readonly eventsOf: EventsOf<ReadonlyArray<Followed>>
  run(event: EventOf<ReadonlyArray<Followed>>): Effect.Effect<unknown, unknown, R>
}

/** Options of a reaction. */
export interface ReactionOptions<Models extends ReadonlyArray<Followed>, E, R> {
  /** The models whose events it follows. A local model is not allowed. */
  readonly from: Models
  /** Where a new reaction begins: with the first event of the log, by default, or with the events from now on. */
  readonly startAt?: "beginning" | "now"
  /** The effect of an event. It is retried until it succeeds, before any later event. It must not fail if it should not be retried. */
  readonly run: (event: EventOf<Models>) => Effect.Effect<unknown, E, R>
}

/**
 * Declares a reaction. Only the leader runs it, in the order of the log, at least once for each event. A new leader runs
 * the last few events again, so receivers must recognize copies by the event's id.
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
  { from, run, startAt = "beginning" }: ReactionOptions<Models, E, R>
): Reaction<R> => {
  checkName("reaction", name)
  checkFollowed(`The reaction "${name}"`, from)
  // Only the declaration knows the models' types. The node decodes events by these models before it runs the reaction.
  return {
    name,
    startAt,
    eventsOf: eventsOf(from) as EventsOf<ReadonlyArray<Followed>>,
    run: run as Reaction<R>["run"]
  }
}

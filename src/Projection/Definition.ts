/** The declaration of a projection that is folded in memory: one state, or one for each key. Data, and pure functions. */
import * as Schema from "effect/Schema"
import { invariant } from "../Invariant.ts"
import { describe } from "../Model/Class.ts"
import { type EventOf, type EventsOf, eventsOf, type Followed } from "./Event.ts"

/** A state as JSON: what is saved, and what is answered. */
type StateCodec<S> = Schema.Codec<S, Schema.Json>

interface Definition<S> {
  readonly name: string
  readonly version: number
  readonly initial: S
  readonly codec: StateCodec<S>
  readonly eventsOf: EventsOf<ReadonlyArray<Followed>>
  /** A method, so that projections of any states are of one type: a node keeps the states of each for itself alone. */
  evolve(state: S, event: EventOf<ReadonlyArray<Followed>>): S | undefined
}

/** One state, folded from all events. */
export interface Whole<S> extends Definition<S> {
  readonly _tag: "Whole"
}

/** A state for each key that an event has named. */
export interface Keyed<S> extends Definition<S> {
  readonly _tag: "Keyed"
  readonly keyOf: (event: EventOf<ReadonlyArray<Followed>>) => string | undefined
}

/** A projection that is folded in memory. */
export type Folded<S> = Whole<S> | Keyed<S>

interface Common<Models extends ReadonlyArray<Followed>, S, E> {
  /** The models whose events it is folded from: none that is local. */
  readonly from: Models
  /** At least 1; another one has the projection folded anew, from the first entry on. */
  readonly version: number
  /** What a state is, and how it is written as JSON. */
  readonly state: Schema.Codec<S, E>
  readonly initial: NoInfer<S>
}

/** A projection of one state. `evolve` is pure: it gives the state after the event, and changes nothing in place. */
export interface WholeOptions<Models extends ReadonlyArray<Followed>, S, E> extends Common<Models, S, E> {
  readonly evolve: (state: S, event: EventOf<Models>) => NoInfer<S>
}

/**
 * A projection of a state for each key. An event without a key is passed over; a state that is undefined is dropped. A
 * key of more than 512 characters is kept under its first ones and its digest.
 */
export interface KeyedOptions<Models extends ReadonlyArray<Followed>, S, E> extends Common<Models, S, E> {
  readonly key: (event: EventOf<Models>) => string | undefined
  readonly evolve: (state: S, event: EventOf<Models>) => NoInfer<S> | undefined
}

/** Names stand in paths and in names of files. */
export const checkName = (what: string, name: string): void =>
  invariant(/^[a-z0-9][a-z0-9-]{0,63}$/.test(name), `The name of ${what} "${name}" is not of a-z, 0-9 and hyphens`)

export const checkNamed = (what: string, { name, version }: { readonly name: string; readonly version: number }) => {
  checkName(what, name)
  invariant(Number.isSafeInteger(version) && version >= 1, `The version of ${what} "${name}" is no integer from 1 on`)
}

/** What is to be followed must be in the replicated log. */
export const checkFollowed = (what: string, models: ReadonlyArray<Followed>): void => {
  invariant(models.length > 0, `${what} follows no model`)
  for (const model of models) {
    const { mode, name } = describe(model)
    invariant(mode !== "local", `${what} cannot follow ${name}: a local model is not in the replicated log`)
  }
}

/**
 * Declares a read model, folded on every node from the events of some models, in the order of the log: equal on all
 * nodes at an equal index. With `key` it holds a state for each key. A broken declaration is a programmer error.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model, Projection } from "lithair"
 *
 * class Order extends Model.Class<Order>("Order")({
 *   id: Model.id(Schema.String),
 *   customer: Schema.String.pipe(Model.replicate),
 *   cents: Schema.Int
 * }) {}
 *
 * const spent = Projection.make("spent", {
 *   from: [Order],
 *   version: 1,
 *   state: Schema.Struct({ orders: Schema.Int, cents: Schema.Int }),
 *   initial: { orders: 0, cents: 0 },
 *   key: ({ record }) => record.customer,
 *   evolve: ({ cents, orders }, { record, type }) =>
 *     type === "created" ? { orders: orders + 1, cents: cents + record.cents } : { orders, cents }
 * })
 * ```
 */
export function make<const Models extends ReadonlyArray<Followed>, S, E>(
  name: string,
  options: KeyedOptions<Models, S, E>
): Keyed<S>
/** A read model of one state for all events. */
export function make<const Models extends ReadonlyArray<Followed>, S, E>(
  name: string,
  options: WholeOptions<Models, S, E>
): Whole<S>
export function make<const Models extends ReadonlyArray<Followed>, S, E>(
  name: string,
  options: WholeOptions<Models, S, E> | KeyedOptions<Models, S, E>
): Folded<S> {
  const { evolve, from, initial, state, version } = options
  checkNamed("projection", { name, version })
  checkFollowed(`The projection "${name}"`, from)
  const definition = {
    name,
    version,
    initial,
    codec: Schema.toCodecJson(state) as unknown as StateCodec<S>,
    // The models are known to the one who declares alone: what is folded has been read by these very models.
    eventsOf: eventsOf(from) as EventsOf<ReadonlyArray<Followed>>,
    evolve: evolve as Definition<S>["evolve"]
  }
  return "key" in options
    ? { _tag: "Keyed", ...definition, keyOf: options.key as Keyed<S>["keyOf"] }
    : { _tag: "Whole", ...definition }
}

/** Declares a projection that every node folds in memory: one state, or one for each key. Data and pure functions. */
import * as Schema from "effect/Schema"
import type { Rule } from "../Access/Rule.ts"
import { invariant } from "../Invariant.ts"
import { describe } from "../Model/Class.ts"
import { type EventOf, type EventsOf, eventsOf, type Followed } from "./Event.ts"

/** The JSON of a state, for saving and answering. */
type StateCodec<S> = Schema.Codec<S, Schema.Json>

interface Definition<S> {
  readonly name: string
  readonly version: number
  /** The models that it follows, and their versions. Another version is read in another form. */
  readonly models: Readonly<Record<string, number>>
  readonly initial: S
  /** Who may read it; undefined if it has no rule. */
  readonly access: Rule | undefined
  /** Whether HTTP knows it. */
  readonly isServed: boolean
  readonly codec: StateCodec<S>
  readonly eventsOf: EventsOf<ReadonlyArray<Followed>>
  /** A method, so that projections of different states share one type. A node never mixes their states. */
  evolve(state: S, event: EventOf<ReadonlyArray<Followed>>): S | undefined
}

/** A projection with one state, folded from all events. */
export interface Whole<S> extends Definition<S> {
  readonly _tag: "Whole"
}

/** A projection with a state for each key that an event has named. */
export interface Keyed<S> extends Definition<S> {
  readonly _tag: "Keyed"
  readonly keyOf: (event: EventOf<ReadonlyArray<Followed>>) => string | undefined
}

/** A projection that a node folds in memory. */
export type Folded<S> = Whole<S> | Keyed<S>

/** What a declaration says of who may read a projection. */
interface Ruling<Access extends Rule | undefined = Rule | undefined, IsServed extends boolean = boolean> {
  /** Who may read it. The rule holds once the application has `auth`: then a projection needs one, or `http: false`. */
  readonly access?: Access
  /** `false`: HTTP does not know it. */
  readonly http?: IsServed
}

/** A projection that says who may read it, as far as the compiler knows. */
type Ruled<P, Access, IsServed> = P & { readonly access: Access; readonly isServed: IsServed }

interface Common<Models extends ReadonlyArray<Followed>, S, E> extends Ruling {
  /** The models whose events it folds. A local model is not allowed. */
  readonly from: Models
  /**
   * At least 1. If it changes, or the version of a model, the node folds the projection again from the first entry.
   */
  readonly version: number
  /** The schema of a state, which also encodes it as JSON. */
  readonly state: Schema.Codec<S, E>
  readonly initial: NoInfer<S>
}

/** Options of a projection with one state. `evolve` is pure: it returns the state after the event. */
export interface WholeOptions<Models extends ReadonlyArray<Followed>, S, E> extends Common<Models, S, E> {
  readonly evolve: (state: S, event: EventOf<Models>) => NoInfer<S>
}

/**
 * Options of a projection with a state for each key. It skips an event without a key, and removes a state when `evolve`
 * returns undefined. It shortens a key of more than 512 characters to its first ones and a digest.
 */
export interface KeyedOptions<Models extends ReadonlyArray<Followed>, S, E> extends Common<Models, S, E> {
  readonly key: (event: EventOf<Models>) => string | undefined
  readonly evolve: (state: S, event: EventOf<Models>) => NoInfer<S> | undefined
}

/** Checks a name: it becomes part of paths and file names. */
export const checkName = (what: string, name: string): void =>
  invariant(/^[a-z0-9][a-z0-9-]{0,63}$/.test(name), `The name of ${what} "${name}" may only have a-z, 0-9 and hyphens`)

export const checkNamed = (what: string, { name, version }: { readonly name: string; readonly version: number }) => {
  checkName(what, name)
  invariant(
    Number.isSafeInteger(version) && version >= 1,
    `The version of ${what} "${name}" must be an integer of at least 1`
  )
}

/** Checks that the replicated log has these models. */
export const checkFollowed = (what: string, models: ReadonlyArray<Followed>): void => {
  invariant(models.length > 0, `${what} follows no model`)
  for (const model of models) {
    const { mode, name } = describe(model)
    invariant(mode !== "local", `${what} cannot follow ${name}: a local model is not in the replicated log`)
  }
}

/** The versions of models, by their names. */
export const versionsOf = (models: ReadonlyArray<Followed>): Readonly<Record<string, number>> =>
  Object.fromEntries(models.map(describe).map(({ name, version }) => [name, version]))

/**
 * Declares a read model. Every node folds it from the events of some models in the order of the log, so at the same
 * index it is equal on all nodes. With `key` it holds a state for each key. A broken declaration is a programmer error.
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
export function make<
  const Models extends ReadonlyArray<Followed>,
  S,
  E,
  const Access extends Rule | undefined = undefined,
  const IsServed extends boolean = true
>(name: string, options: KeyedOptions<Models, S, E> & Ruling<Access, IsServed>): Ruled<Keyed<S>, Access, IsServed>
/** Declares a read model with one state for all events. */
export function make<
  const Models extends ReadonlyArray<Followed>,
  S,
  E,
  const Access extends Rule | undefined = undefined,
  const IsServed extends boolean = true
>(name: string, options: WholeOptions<Models, S, E> & Ruling<Access, IsServed>): Ruled<Whole<S>, Access, IsServed>
export function make<const Models extends ReadonlyArray<Followed>, S, E>(
  name: string,
  options: WholeOptions<Models, S, E> | KeyedOptions<Models, S, E>
): Folded<S> {
  const { access, evolve, from, http, initial, state, version } = options
  checkNamed("projection", { name, version })
  checkFollowed(`The projection "${name}"`, from)
  const definition = {
    name,
    version,
    models: versionsOf(from),
    initial,
    access,
    isServed: http !== false,
    codec: Schema.toCodecJson(state) as unknown as StateCodec<S>,
    // Only the declaration knows the models' types. The node decodes events by these models before it folds them.
    eventsOf: eventsOf(from) as EventsOf<ReadonlyArray<Followed>>,
    evolve: evolve as Definition<S>["evolve"]
  }
  return "key" in options
    ? { _tag: "Keyed", ...definition, keyOf: options.key as Keyed<S>["keyOf"] }
    : { _tag: "Whole", ...definition }
}

/** The repository of a node for one caller: its rights are enforced, and history names it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Caller } from "../Access/Caller.ts"
import type { Repository } from "./Repository.ts"

/** Acts for callers. Only a node does: a program far from it is the caller of its own credential. */
export class Acting extends Context.Service<Acting, { readonly as: (caller: Caller) => Repository["Service"] }>()(
  "lithair/Client/Acting"
) {}

/**
 * The repository of this node for a caller. What the caller may not do is refused as over HTTP. A node's own `Repository`
 * acts for the application itself, and no rule holds for it.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Http, Model, Repository } from "lithair"
 *
 * class Note extends Model.Class<Note>("Note")({
 *   id: Model.id(Schema.String),
 *   text: Model.replicate(Schema.String)
 * }) {}
 *
 * const notesOfCaller = Effect.gen(function* () {
 *   const caller = yield* Http.caller
 *   const { records } = yield* Repository.as(caller)
 *   return yield* records(Note).list()
 * })
 * ```
 */
export const as = (caller: Caller): Effect.Effect<Repository["Service"], never, Acting> =>
  Effect.map(Acting, ({ as }) => as(caller))

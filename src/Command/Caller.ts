/** Who called the command that is being handled. */
import * as Context from "effect/Context"
import type * as Access from "../Access/Caller.ts"

/**
 * The caller of the command that is being handled: a principal, an anonymous client, or the application itself. A handler
 * is trusted: no rule of a model holds for what it does, but for what it does by `transaction.as(caller)`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Access, Command } from "lithair"
 *
 * const whoAmI = Command.make("who-am-i", {
 *   payload: Schema.Struct({}),
 *   success: Schema.NullOr(Schema.String),
 *   access: Access.anyone
 * })
 * const whoAmILayer = Command.layer(whoAmI, () => Effect.map(Command.Caller, (caller) => Access.idOf(caller) ?? null))
 * ```
 */
export class Caller extends Context.Service<Caller, Access.Caller>()("lithair/Command/Caller") {}

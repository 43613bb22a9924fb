/** The handler of a declared command, as a layer. A node that serves the command requires the handler in its type. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Caller } from "./Caller.ts"
import type { Any } from "./Declaration.ts"
import type { NotFound, OperationRefused, Transaction } from "./Transaction.ts"

/** The type that says that a command of this name has a handler. */
export interface Handler<Name extends string> {
  readonly "~lithair/command": Name
}

/** The handlers that these commands require. */
export type HandlerOf<C extends Any> = C extends Any ? Handler<C["name"]> : never

/**
 * A command's handler. It may require the transaction and its caller. It runs on the leader only, from start to end
 * without a pause; a handler that suspends or throws is refused. It fails with an error that the command declares, or
 * passes on an error of the transaction.
 */
export type Handle<C extends Any> = (
  payload: C["payload"]["Type"]
) => Effect.Effect<
  C["success"]["Type"],
  C["errors"][number]["Type"] | NotFound | OperationRefused,
  Transaction | Caller
>

/** The service that holds a handler. */
export const handlerKey = (name: string): Context.Service<Handler<string>, Handle<Any>> =>
  Context.Service<Handler<string>, Handle<Any>>(`lithair/Command/Handler/${name}`)

/**
 * Gives a command its handler.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Command, Model } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String),
 *   stock: Schema.Int.pipe(Model.replicate)
 * }) {}
 * class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
 * const buy = Command.make("buy", {
 *   payload: Schema.Struct({ productId: Schema.String, count: Schema.Int }),
 *   success: Product,
 *   error: [SoldOut]
 * })
 *
 * const buyLayer = Command.layer(
 *   buy,
 *   Effect.fnUntraced(function* ({ productId, count }) {
 *     const transaction = yield* Command.Transaction
 *     const { stock } = yield* transaction.get(Product, productId)
 *     if (stock < count) return yield* new SoldOut({ left: stock })
 *     return yield* transaction.patch(Product, productId, { stock: stock - count })
 *   })
 * )
 * ```
 */
export const layer = <C extends Any>(command: C, handle: Handle<C>): Layer.Layer<HandlerOf<C>> =>
  Layer.succeed(handlerKey(command.name), handle as unknown as Handle<Any>) as unknown as Layer.Layer<HandlerOf<C>>

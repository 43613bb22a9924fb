/**
 * The server on which a node answers those who look after it, if it has one beside its own: `admin.listen` of
 * `lithair/node`, or a server that a composition provides. docs/composing.md, "A listener for operators".
 */
import { Context, Effect, Option, Schema } from "effect"
import { HttpServer } from "effect/http"

/** The server of a node's operators; undefined if it has none of its own, as by default. */
export const OperatorServer = Context.Reference<HttpServer.HttpServer["Service"] | undefined>(
  "lithair/Http/OperatorServer",
  { defaultValue: () => undefined }
)

/** A layer for operators is mounted on a server for clients, although the node has one for operators. */
export class NotForClients extends Schema.TaggedError<NotForClients>()("NotForClients", { message: Schema.String }) {}

/** Fails if the node has a server for its operators, and the routes of this context are on another one. */
export const checkForOperators = Effect.fnUntraced(function* (layer: string): Effect.fn.Return<void, NotForClients> {
  const own = yield* OperatorServer
  const server = Option.getOrUndefined(yield* Effect.serviceOption(HttpServer.HttpServer))
  if (own === undefined || own === server) return
  return yield* new NotForClients({
    message: `This node has a listener for its operators, and the application mounts Http.${layer} on another one: mount Http.layerOperators instead`
  })
})

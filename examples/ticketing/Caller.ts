/** The caller, by a bearer token. A real application would look the token up, or verify a signature. */
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"

/** The name behind the token. */
export class Caller extends Context.Service<Caller, { readonly name: string }>()("ticketing/Caller") {}

class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {}, { httpApiStatus: 401 }) {}

const tokens = new Map([
  ["token-of-ada", "ada"],
  ["token-of-bob", "bob"],
  ["token-of-the-organizer", "organizer"]
])

const callerOf = (token: string): Effect.Effect<Caller["Service"], Unauthorized> => {
  const name = tokens.get(token)
  return name === undefined ? Effect.fail(new Unauthorized()) : Effect.succeed({ name })
}

/** Asks for a token on an HttpApi, and stands in its document. */
export class Bearer extends HttpApiMiddleware.Service<Bearer, { provides: Caller }>()("ticketing/Bearer", {
  error: Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {}

export const layerBearer = Layer.succeed(Bearer)({
  bearer: (app, { credential }) =>
    Effect.flatMap(callerOf(Redacted.value(credential)), (caller) => Effect.provideService(app, Caller, caller))
})

/** Lets only the organizer pass, to routes that are not of an HttpApi. */
export const organizersOnly = HttpRouter.middleware((app) =>
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const caller = yield* Effect.option(callerOf((headers.authorization ?? "").replace(/^Bearer /, "")))
    if (caller._tag === "None") return HttpServerResponse.jsonUnsafe({ title: "Unauthorized" }, { status: 401 })
    if (caller.value.name !== "organizer") return HttpServerResponse.jsonUnsafe({ title: "Forbidden" }, { status: 403 })
    return yield* app
  })
).layer

/**
 * Stands for an identity provider, to try the example: whoever gives a name is believed. It signs tokens, publishes its
 * keys, and sends the browser back to the page with the token. `node examples/ticketing/issuer.ts`.
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as jose from "jose"

const port = Number(process.env.TICKETING_ISSUER_PORT ?? 8090)
const issuer = `http://127.0.0.1:${port}`
const { privateKey, publicKey } = await jose.generateKeyPair("ES256")
const key = { ...(await jose.exportJWK(publicKey)), kid: "1", alg: "ES256" }

/** The organizer opens shows, and the staff is at the door. */
const groups: Readonly<Record<string, ReadonlyArray<string>>> = { organizer: ["organizer"], door: ["staff"] }

const tokenOf = (name: string) =>
  Effect.promise(() =>
    new jose.SignJWT({ name, groups: groups[name] ?? [] })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .setIssuer(issuer)
      .setSubject(name)
      .setAudience("ticketing")
      .setExpirationTime("12h")
      .sign(privateKey)
  )

const Name = Schema.Struct({ name: Schema.String.check(Schema.isPattern(/^\w{1,30}$/)) })
/** The page that asked. Tokens go to pages of this host alone. */
const Back = Schema.Struct({ back: Schema.String.check(Schema.isPattern(/^http:\/\/127\.0\.0\.1:\d+\/$/)) })

const form = `<!doctype html><html lang="en"><meta charset="utf-8" /><title>Sign in</title>
<form method="post"><label>Who are you? <input name="name" required pattern="\\w{1,30}" /></label><button>Sign in</button></form></html>`

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/.well-known/jwks.json", HttpServerResponse.jsonUnsafe({ keys: [key] })),
  HttpRouter.add("GET", "/sign-in", HttpServerResponse.html(form)),
  HttpRouter.add(
    "POST",
    "/sign-in",
    Effect.gen(function* () {
      const { name } = yield* HttpServerRequest.schemaBodyUrlParams(Name)
      const { back } = yield* HttpServerRequest.schemaSearchParams(Back)
      return HttpServerResponse.redirect(`${back}#${yield* tokenOf(name)}`, { status: 303 })
    })
  ),
  // For programs: curl -d name=ada http://127.0.0.1:8090/token
  HttpRouter.add(
    "POST",
    "/token",
    Effect.gen(function* () {
      const { name } = yield* HttpServerRequest.schemaBodyUrlParams(Name)
      return HttpServerResponse.text(yield* tokenOf(name))
    })
  )
)

HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
  Layer.tap(() => Console.log(`Tokens: ${issuer}`)),
  Layer.launch,
  NodeRuntime.runMain
)

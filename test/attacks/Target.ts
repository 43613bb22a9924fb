/**
 * A node to attack: an application with rules on a real port, its edge as a test sets it. Its own host is a listed proxy, so
 * that a request comes from whichever address its `X-Forwarded-For` names. So operators show the cluster's secret.
 */
import { request as httpRequest } from "node:http"
import { Context, Effect, Layer, Redacted } from "effect"
import { type HttpMiddleware, HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import type * as Http from "../../src/Http.ts"
import { Place } from "../../src/Lithair/Place.ts"
import * as Lithair from "../../src/Lithair.ts"
import { layerServer } from "../../src/node.ts"
import { application, handlers } from "../Access/Notes.ts"

/** A running node: its port, and the requests that its log has. */
export class Target extends Context.Service<
  Target,
  { readonly port: number; readonly logged: ReadonlyArray<Http.LoggedRequest> }
>()("test/attacks/Target") {}

/** The answer to a request, and its body as JSON where it is JSON. */
export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the body that it asks for.
  readonly body: any
}

/** The cluster's secret. */
export const secret = "0123456789abcdef0123456789abcdef"

const layerSecret = Layer.effect(
  Place,
  Effect.map(Place, (place) => ({ ...place, secret: Redacted.make(secret) }))
)

/** What a test sets: the edge, the authenticators, and what the application puts beside or before the routes of the node. */
export interface Setting {
  readonly edge?: Http.EdgeOptions
  readonly auth?: Lithair.Application["auth"]
  // biome-ignore lint/suspicious/noExplicitAny: routes may fail with whatever answers itself.
  readonly routes?: Layer.Layer<never, never, any>
  /** A middleware of the whole server. */
  readonly middleware?: ReturnType<typeof HttpMiddleware.xForwardedHeaders>
}

/** Runs a node. */
export const layer = ({
  auth = application.auth,
  edge = {},
  middleware,
  routes = Layer.empty
}: Setting = {}): Layer.Layer<Target> => {
  const logged: Array<Http.LoggedRequest> = []
  const settings = {
    trustedProxies: ["127.0.0.1"],
    requestLog: (request: Http.LoggedRequest) => void logged.push(request),
    ...edge
  }
  const target = Layer.effect(
    Target,
    Effect.map(HttpServer.HttpServer, ({ address }) =>
      Target.of({ port: NetAddress.isUnixPathAddress(address) ? 0 : address.port, logged })
    )
  )
  const served = HttpRouter.serve(Layer.merge(Lithair.layerRoutes(), routes), {
    disableLogger: true,
    disableListenLog: true,
    ...(middleware === undefined ? {} : { middleware })
  }).pipe(Layer.provide(Lithair.layer({ ...application, auth, edge: settings }).pipe(Layer.provide(layerSecret))))
  return Layer.provideMerge(target, served).pipe(
    Layer.provide(handlers),
    Layer.provide(Lithair.layerTest),
    Layer.provideMerge(Lithair.layerMemory),
    Layer.provideMerge(layerServer({ port: 0, edge: settings }))
  ) as Layer.Layer<Target>
}

/** What a request sends. `from` is the address of its client, as the proxy tells it. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly key?: string | undefined
  readonly from?: string
}

/** Sends one request, and reads its answer. */
export const send = (
  method: string,
  path: string,
  { body, from, headers = {}, key }: Sent = {}
): Effect.Effect<Answered, never, Target> =>
  Effect.flatMap(Target, ({ port }) =>
    Effect.callback<Answered>((resume) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent: false,
          headers: {
            ...(text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
            ...(from === undefined ? {} : { "x-forwarded-for": from }),
            ...headers
          }
        },
        (response) => {
          let answer = ""
          response.setEncoding("utf8")
          response.on("data", (part: string) => {
            answer += part
          })
          response.on("end", () => {
            const isJson = String(response.headers["content-type"] ?? "").includes("json")
            resume(
              Effect.succeed({
                status: response.statusCode ?? 0,
                headers: response.headers,
                text: answer,
                body: isJson && answer !== "" ? JSON.parse(answer) : answer
              })
            )
          })
        }
      )
      request.on("error", (error) => resume(Effect.die(error)))
      request.end(text)
      return Effect.sync(() => request.destroy())
    })
  )

/** Makes an API key, as an operator. */
export const makeKey = (name: string, roles: ReadonlyArray<string> = []) =>
  Effect.map(
    send("POST", "/_admin/api/keys", { key: secret, body: { name, roles } }),
    ({ body }) => body as { readonly id: string; readonly key: string; readonly principal: string }
  )

/**
 * Finds the endpoint that a server may serve directly, before Effect's router. It must be certain that the router would
 * run exactly this endpoint's route: no middleware stands before it, and no other route takes the request.
 *
 * - A middleware of the server (`HttpRouter.serve`'s option, the access logger) is an argument of `HttpServer.serve`.
 * - A global middleware that was added before ours wraps the effect that ours returned: then the server serves another one.
 * - A global middleware that was added after ours wraps the router's own effect: then ours gets another one.
 * - A middleware that was provided to our layer wraps our route's handler: then the router finds another one.
 * - Another route for the same request: then the router finds that.
 * - A tracer that is not the node's own, or a limit on bodies, is a service in the context of the server.
 *
 * To ask the router, this file takes its first step as a fiber would. Only this file knows how an effect is evaluated,
 * and a router that differs from a new one in its code is never asked: its requests go the usual way.
 */
import { Context, Effect, Tracer } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import type { Answering } from "./Answering.ts"
import type { Handler } from "./Handler.ts"
import type { Serving } from "./Serving.ts"

/** An endpoint as it is mounted. */
export interface MountedEndpoint {
  readonly handler: Handler
  readonly answering: Answering
  readonly member: Member["Service"]
  readonly serving: Serving["Service"]
  readonly prefix: string
  /** The template of its paths, with the prefix. */
  readonly route: string
  /** The paths that it takes, with the prefix. */
  readonly pattern: RegExp
}

/** Finds the endpoint for the target of a request; undefined if the router must serve the request. */
export type Find = (method: string, target: string) => MountedEndpoint | undefined

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

/** Endpoints by the handler of their route. */
const endpoints = new WeakMap<object, MountedEndpoint>()
/** By the effects that our fallback made: the router's own effect, and the node's shared state. */
const routers = new WeakMap<object, { readonly router: AnyEffect; readonly serving: Serving["Service"] }>()

/** Remembers the endpoint whose route has this handler. */
export const register = (handler: object, endpoint: MountedEndpoint): void => void endpoints.set(handler, endpoint)

/** Remembers that our fallback made `served` from `router`. */
export const madeOf = (served: object, router: AnyEffect, serving: Serving["Service"]): void =>
  void routers.set(served, { router, serving })

/** The state that the routes of a node share, in what a server serves; undefined if a middleware hides them. */
export const servingIn = (served: object): Serving["Service"] | undefined => routers.get(served)?.serving

/** Returns how to find endpoints in what a server serves; undefined if its requests must go to the router. */
export const findIn = Effect.fnUntraced(function* (
  served: object,
  middleware: unknown
): Effect.fn.Return<Find | undefined> {
  const app = routers.get(served)?.router
  if (middleware !== undefined || app === undefined) return undefined
  const context = yield* Effect.context<never>()
  const tracer = Context.get(context, Tracer.Tracer)
  if (Context.get(context, HttpIncomingMessage.MaxBodySize) !== undefined) return undefined
  if (!(yield* isRouter(app))) return undefined
  const find = asking(app)
  // The node itself begins the spans of its endpoints (RequestSpan.ts). It must have the tracer that the server has.
  return (method, target) => {
    const found = find(method, target)
    const isTracer = tracer === (found?.serving.tracing?.tracer ?? Tracer.nativeTracer)
    return isTracer ? found : undefined
  }
})

/** The parts of an effect that a fiber uses. */
const evaluate = "~effect/Effect/evaluate"
const args = "~effect/Effect/args"

interface Evaluated {
  readonly [evaluate]?: (fiber: unknown) => unknown
  readonly [args]?: unknown
}

const partsOf = (effect: AnyEffect): Evaluated => effect as unknown as Evaluated

/** Whether this is the effect of a router without any middleware: it has the code of a new router's. */
const isRouter = Effect.fnUntraced(function* (app: AnyEffect): Effect.fn.Return<boolean> {
  const own = partsOf(app)
  const fresh = partsOf((yield* HttpRouter.make).asHttpEffect())
  return (
    typeof own[args] === "function" &&
    own[evaluate] === fresh[evaluate] &&
    String(own[args]) === String(fresh[args]) &&
    !String(own[args]).includes("[native code]")
  )
})

/** Asks the router which handler it would run. It decides by method and target alone. */
const asking = (app: AnyEffect): Find => {
  const request = { method: "", url: "", modify: () => request }
  const fiber = {
    context: Context.make(
      HttpServerRequest.HttpServerRequest,
      request as unknown as HttpServerRequest.HttpServerRequest
    ),
    interruptible: true,
    getRef: () => Tracer.nativeTracer,
    setContext: () => {}
  }
  return (method, target) => {
    request.method = method
    request.url = target
    try {
      const found = partsOf(app)[evaluate]?.(fiber)
      return typeof found === "object" && found !== null ? endpoints.get(found) : undefined
    } catch {
      return undefined
    }
  }
}

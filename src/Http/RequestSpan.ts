/**
 * The span of a request that its client wants traced, by the flag `sampled` of its `traceparent`. The node's own server
 * begins it here; where a router serves the request, Effect's middleware has begun it. It names the route, and neither
 * ids, nor the query, nor a credential.
 */
import { Context, Effect, Exit, Option, Tracer } from "effect"
import { parentIn, type Span, type Tracing, traceparentOf } from "../Tracing.ts"
import type { Head } from "./Head.ts"

/** Begins the span of a request below the one that its client names; undefined if the client wants none. */
export const begin = (tracing: Tracing, { headers, method }: Head, route: string): Span | undefined => {
  const { traceparent } = headers
  const parent = traceparent === undefined ? undefined : parentIn(traceparent)
  if (parent === undefined) return undefined
  const span = tracing.begin(`${method} ${route}`, { parent, kind: "server" })
  span.note("http.request.method", method)
  span.note("http.route", route)
  return span
}

/**
 * Ends the span with the status of the answer; undefined if the client has gone. A server error counts as one
 * (OpenTelemetry, "HTTP spans").
 */
export const end = (span: Span, status: number | undefined): void => {
  if (status !== undefined) span.note("http.response.status_code", status)
  span.end(exitOf(status))
}

const exitOf = (status: number | undefined): Exit.Exit<void, Error> => {
  if (status === undefined) return Exit.interrupt()
  return status < 500 ? Exit.void : Exit.fail(new Error(`Answered with ${status}`))
}

const untraced: Pick<Head, "trace"> = {}

/** What a request has of the span around it, if somebody records spans. */
export const currentTrace: Effect.Effect<Pick<Head, "trace">> = Effect.map(Effect.context<never>(), (context) => {
  if (Context.get(context, Tracer.Tracer) === Tracer.nativeTracer) return untraced
  const span = Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan))
  return span?.sampled === true ? { trace: traceparentOf(span) } : untraced
})

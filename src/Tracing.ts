/**
 * Spans of a node's own work, below the span that a request names (W3C Trace Context). The client decides whether its
 * request is traced, by the flag `sampled` of its `traceparent`: a node begins no trace of its own. The application's
 * Effect tracer records the spans. Without one there is no tracing, and nothing of this runs.
 */
import { type Clock, Context, Effect, type Exit, Option, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"

/** A span, and the span under whose name others go on with the trace. */
export type Parent = Tracer.AnySpan

/** Begins spans. */
export interface Tracing {
  /** The tracer that records them. */
  readonly tracer: Tracer.Tracer
  /** The wall clock, in nanoseconds. */
  readonly nowNanos: () => bigint
  /** Begins a span now, or at an earlier moment of the wall clock. Call `end` once. */
  readonly begin: (
    name: string,
    options: { readonly parent: Parent; readonly kind?: Tracer.SpanKind; readonly beganNanos?: bigint }
  ) => Span
}

/** A span under way. */
export interface Span {
  readonly span: Tracer.Span
  readonly note: (attribute: string, value: string | number) => void
  /** Ends it now, or at an earlier moment. */
  readonly end: (exit: Exit.Exit<unknown, unknown>, endedNanos?: bigint) => void
}

/** The tracing of the application around this; undefined if nobody records spans. */
export const current = (clock: Clock.Clock): Effect.Effect<Tracing | undefined> =>
  Effect.map(Effect.context<never>(), (context) => {
    const tracer = Context.get(context, Tracer.Tracer)
    return tracer === Tracer.nativeTracer ? undefined : make(tracer, clock)
  })

const make = (tracer: Tracer.Tracer, clock: Clock.Clock): Tracing => {
  const nowNanos = () => clock.currentTimeNanosUnsafe()
  return {
    tracer,
    nowNanos,
    begin: (name, { beganNanos, kind = "internal", parent }) => {
      const span = tracer.span({
        name,
        parent: Option.some(parent),
        annotations: Context.empty(),
        links: [],
        startTime: beganNanos ?? nowNanos(),
        kind,
        root: false,
        sampled: true
      })
      return {
        span,
        note: (attribute, value) => span.attribute(attribute, value),
        end: (exit, endedNanos) => span.end(endedNanos ?? nowNanos(), exit)
      }
    }
  }
}

/** The length of a `traceparent` of version 00. */
export const traceparentLength = 55
/** The last digits of its flags that have the bit `sampled`. */
const sampledDigits = "13579bdf"

/** The span that a `traceparent` names, if it is sampled. Undefined for one that is malformed, or of another version. */
export const parentIn = (traceparent: string): Parent | undefined => {
  // Most requests are not sampled, and should cost nothing.
  if (traceparent.length !== traceparentLength || !sampledDigits.includes(traceparent.charAt(54))) return undefined
  const named = Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromRecordUnsafe({ traceparent })))
  return named?.sampled === true ? named : undefined
}

/** The `traceparent` by which others go on below a sampled span. */
export const traceparentOf = ({ spanId, traceId }: Parent): string => `00-${traceId.padStart(32, "0")}-${spanId}-01`

/**
 * The span of a handler, below the span that its command names, and those that the handler itself begins. A command that
 * nobody wants traced records none. A handler's clock stands still at the time of its entry, so its spans take their times
 * from the node's own.
 */
import { Context, Exit, References, Tracer } from "effect"
import { parentIn, type Span, type Tracing } from "../Tracing.ts"

/** Begins the span of a handler; undefined if nobody records it. */
export const begin = (tracing: Tracing | undefined, trace: string | undefined, command: string): Span | undefined => {
  const parent = trace === undefined ? undefined : parentIn(trace)
  if (tracing === undefined || parent === undefined) return undefined
  const span = tracing.begin("lithair.handle", { parent })
  span.note("lithair.command", command)
  return span
}

/** The services of a handler with its span, or without any. */
export const around = <R>(
  services: Context.Context<R>,
  tracing: Tracing | undefined,
  span: Span | undefined
): Context.Context<R> => {
  if (tracing === undefined) return services
  if (span === undefined) return Context.add(services, References.TracerEnabled, false)
  return services.pipe(
    Context.add(Tracer.Tracer, timedBy(tracing)),
    Context.add(Tracer.ParentSpan, span.span)
  ) as Context.Context<R>
}

/** Ends the span of a handler. It has failed if the handler has, or did not end at once. */
export const end = (span: Span | undefined, exit: Exit.Exit<unknown, unknown> | undefined): void =>
  span?.end(exit ?? Exit.fail(new Error("The handler did not end at once")))

/** The tracer of the application with the times of the node's own clock. */
const timedBy = ({ nowNanos, tracer }: Tracing): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const span = tracer.span({ ...options, startTime: nowNanos() })
      const ended = span.end.bind(span)
      const told = span.event.bind(span)
      return Object.assign(span, {
        end: (_: bigint, exit: Exit.Exit<unknown, unknown>) => ended(nowNanos(), exit),
        event: (name: string, _: bigint, attributes?: Record<string, unknown>) => told(name, nowNanos(), attributes)
      })
    },
    ...(tracer.context === undefined ? {} : { context: tracer.context })
  })

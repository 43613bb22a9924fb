/**
 * Turns handlers into the machine's procedures. It decodes the payload, runs the handler at once on a transaction, and
 * encodes the result. A handler that throws or suspends fails its own command only, and the node's log says which and
 * why.
 */
import { Cause, Clock, Context, Effect, type Exit, Random, Result, Schema } from "effect"
import { invariant } from "../Invariant.ts"
import type { Access, Procedure, Procedures } from "../Machine/Procedure.ts"
import type { DeclaredError, Rejection } from "../Machine/Rejection.ts"
import { decoder } from "../Model/Decoder.ts"
import { errorsOf } from "../Model/FieldError.ts"
import { jsonCodec } from "../Model/JsonCodec.ts"
import { jsonEncoder } from "../Model/JsonEncoder.ts"
import { current, type Tracing } from "../Tracing.ts"
import { Caller } from "./Caller.ts"
import type { Any } from "./Declaration.ts"
import { type Handle, type HandlerOf, handlerKey } from "./Handler.ts"
import * as HandlerSpan from "./HandlerSpan.ts"
import { runNow } from "./Running.ts"
import { NotFound, OperationRefused, Transaction } from "./Transaction.ts"
import * as TransactionOver from "./TransactionOver.ts"

/** The procedures of these commands, from their handlers. */
export const make = Effect.fnUntraced(function* <C extends Any>(
  commands: ReadonlyArray<C>
): Effect.fn.Return<Procedures, never, HandlerOf<C>> {
  const context = yield* Effect.context<HandlerOf<C>>()
  const tracing = yield* current(yield* Clock.Clock)
  const procedures = new Map<string, Procedure>()
  for (const command of commands) {
    invariant(!procedures.has(command.name), `Two commands have the name "${command.name}"`)
    const handle = Context.getUnsafe(context, handlerKey(command.name))
    procedures.set(command.name, procedureOf(command, handle, { context, tracing }))
  }
  return procedures
})

const procedureOf = (
  command: Any,
  handle: Handle<Any>,
  { context, tracing }: { readonly context: Context.Context<never>; readonly tracing: Tracing | undefined }
): Procedure => {
  const { name } = command
  const decodePayload = decoder(jsonCodec(command.payload))
  const encodeSuccess = jsonEncoder(command.success)
  const errors = command.errors.map((error) => ({ is: Schema.is(error), encode: jsonEncoder(error) }))

  const failed = (why: unknown): Result.Result<never, Rejection> => {
    Effect.runForkWith(context)(Effect.logError(`The command ${name} failed, and did nothing`, why))
    return Result.fail({ _tag: "CommandFailed", command: name })
  }

  /** This is usually a mistake in the handler, so the node's log says which handler it was. */
  const stopped = (ended: Rejection): Result.Result<never, Rejection> => {
    if (ended._tag === "TooLarge") {
      Effect.runForkWith(context)(Effect.logWarning(`The command ${name} was stopped at ${ended.max} ${ended.limit}`))
    }
    return Result.fail(ended)
  }

  const rejectionOf = (error: unknown): Result.Result<never, Rejection> => {
    const declared = errors.find(({ is }) => is(error))
    if (declared !== undefined) {
      const encoded = declared.encode(error)
      return Result.isFailure(encoded)
        ? failed(encoded.failure)
        : Result.fail({ _tag: "Declared", command: name, error: encoded.success as DeclaredError })
    }
    if (error instanceof NotFound) return Result.fail({ _tag: "NotFound", model: error.model, id: error.id })
    return error instanceof OperationRefused ? Result.fail(error.reason) : failed(error)
  }

  const outcomeOf = (exit: Exit.Exit<unknown, unknown> | undefined): ReturnType<Procedure> => {
    if (exit === undefined) return failed("It did not end at once: it waits for something, or goes on for too long")
    if (exit._tag === "Success") {
      const encoded = encodeSuccess(exit.value)
      return Result.isFailure(encoded) ? failed(encoded.failure) : Result.succeed(encoded.success)
    }
    const [first, ...others] = exit.cause.reasons
    const isRefusal = first !== undefined && [first, ...others].every(Cause.isFailReason)
    return isRefusal && Cause.isFailReason(first) ? rejectionOf(first.error) : failed(exit.cause)
  }

  const attempt: Procedure = (access, payload) => {
    const decoded = decodePayload(payload)
    if (Result.isFailure(decoded)) {
      return Result.fail({ _tag: "InvalidRequest", errors: errorsOf(decoded.failure.issue) })
    }
    const { close, end, transaction } = TransactionOver.over(access)
    const handled = Effect.suspend(() => heard(handle(decoded.success)))
    const span = HandlerSpan.begin(tracing, access.trace, name)
    const services = HandlerSpan.around(context, tracing, span).pipe(
      Context.add(Random.Random, randomOf(access.newId)),
      Context.add(Clock.Clock, clockAt(access)),
      Context.add(Transaction, transaction),
      Context.add(Caller, access.caller)
    )
    // Fibers that the handler forked and left behind can no longer use the transaction once it has ended.
    const exit = runNow(handled, services, close)
    close()
    HandlerSpan.end(span, exit)
    const ended = end()
    return ended === undefined ? outcomeOf(exit) : stopped(ended)
  }

  // The schemas are application code too, and may throw like the handler.
  return (access, payload) => {
    const attempted = Result.try({ try: () => attempt(access, payload), catch: (thrown) => thrown })
    return Result.isSuccess(attempted) ? attempted.success : failed(attempted.failure)
  }
}

/**
 * The types forbid an async function. If one is passed anyway and rejects, this catches the rejection, which would end
 * the process.
 */
const heard = <A>(handled: A): A => {
  if (handled instanceof Promise) handled.catch(() => undefined)
  return handled
}

/**
 * Seeded at the first draw, by an id that no other transaction has. Most handlers draw nothing, and a seed costs as
 * much as their whole work.
 */
const randomOf = (newId: () => string): Random.Random => {
  let seeded: Random.Random | undefined
  const drawn = (): Random.Random => {
    seeded ??= Effect.runSync(Effect.map(Random.Random, (random) => random).pipe(Random.withSeed(newId())))
    return seeded
  }
  return { nextIntUnsafe: () => drawn().nextIntUnsafe(), nextDoubleUnsafe: () => drawn().nextDoubleUnsafe() }
}

/**
 * A clock that stands still at the time of the entry. Its monotonic time is the age of the log. No effect can sleep on it.
 */
const clockAt = ({ logAgeMs, timeMs }: Pick<Access, "logAgeMs" | "timeMs">): Clock.Clock => {
  const timeNanos = BigInt(timeMs) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => timeMs,
    currentTimeMillis: Effect.succeed(timeMs),
    currentTimeNanosUnsafe: () => timeNanos,
    currentTimeNanos: Effect.succeed(timeNanos),
    monotonicTimeNanosUnsafe: () => nanosOf(logAgeMs),
    monotonicTimeNanos: Effect.sync(() => nanosOf(logAgeMs)),
    sleep: () => Effect.never
  }
}

/** The age of a log has parts of milliseconds. */
const nanosOf = (ms: number): bigint => BigInt(Math.floor(ms)) * 1_000_000n

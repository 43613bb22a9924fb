/**
 * How long a body that was announced may take to come: whoever does not send it keeps nothing for longer, and no node
 * that is about to go waits for it. RFC 9110 §15.5.9.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem, withHeaders } from "../Problem.ts"

/** How long a body may take. */
export const bodyTimeoutMs = 10_000
/** How often it is looked for those that take too long, or for nothing any more. */
const lookEveryMs = 100

/** Whether the node is about to go, and waits for no body any longer. */
export const IsLeaving = Context.Reference<() => boolean>("lithair/Http/IsLeaving", { defaultValue: () => () => false })

/** Reads a body, as long as it may take. */
export type Patient = <A>(reading: Effect.Effect<A, Problem>) => Effect.Effect<A, Problem>

/** What still comes is part of no request: the connection ends. */
const tooSlow = withHeaders(problem("request-timeout", `The body did not come within ${bodyTimeoutMs / 1000} s`, {}), {
  connection: "close"
})

const leaving = withHeaders(problem("draining", "This node is about to stop", { definite: true }), {
  connection: "close"
})

/** Of one request by itself. */
const alone: Patient = (reading) =>
  Effect.raceFirst(
    reading,
    Effect.gen(function* (): Effect.fn.Return<never, Problem> {
      const isLeaving = yield* IsLeaving
      for (let waitedMs = 0; waitedMs < bodyTimeoutMs; waitedMs += lookEveryMs) {
        yield* Effect.sleep(lookEveryMs)
        if (isLeaving()) return yield* Effect.fail(leaving)
      }
      return yield* Effect.fail(tooSlow)
    })
  )

/** How whoever reads a body waits for it. */
export const Patience = Context.Reference<Patient>("lithair/Http/Patience", { defaultValue: () => alone })

interface Waiting {
  readonly endMs: number
  readonly isLeaving: () => boolean
  readonly giveUp: (why: Problem) => void
}

/** Of all requests together, until the scope closes: a race with a timer for each costs more than reading a small body. */
export const together: Effect.Effect<Patient, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const waiting = new Set<Waiting>()
  const isAny = yield* Latch.make(false)

  const look = Effect.gen(function* () {
    yield* isAny.await
    yield* Effect.sleep(lookEveryMs)
    for (const { endMs, giveUp, isLeaving } of waiting) {
      if (isLeaving()) giveUp(leaving)
      else if (nowMs() >= endMs) giveUp(tooSlow)
    }
    if (waiting.size === 0) isAny.closeUnsafe()
  })
  yield* Effect.forkScoped(Effect.forever(look))

  return <A>(reading: Effect.Effect<A, Problem>) =>
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.callback<A, Problem>((resume) => {
        const fiber = Effect.runForkWith(context)(reading)
        const isOver = () => {
          waiting.delete(entry)
          fiber.interruptUnsafe()
        }
        const entry: Waiting = {
          endMs: nowMs() + bodyTimeoutMs,
          isLeaving: Context.get(context, IsLeaving),
          // In this order: the end of the reading, once it is interrupted, is no answer any more.
          giveUp: (why) => {
            resume(Effect.fail(why))
            isOver()
          }
        }
        waiting.add(entry)
        isAny.openUnsafe()
        fiber.addObserver((exit) => {
          waiting.delete(entry)
          resume(exit)
        })
        return Effect.sync(isOver)
      })
    )
})

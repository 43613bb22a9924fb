/**
 * The deadline of request bodies. A client that does not send its body frees its place at the deadline, and a node that
 * is stopping does not wait for bodies at all. RFC 9110 §15.5.9.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem, withHeaders } from "../Problem.ts"

/** How long a body may take to come. */
export const bodyTimeoutMs = 10_000
/** How often to check the deadlines and whether the node is stopping. */
const lookEveryMs = 100

/** Whether the node is stopping, so that it no longer waits for bodies. */
export const IsLeaving = Context.Reference<() => boolean>("lithair/Http/IsLeaving", { defaultValue: () => () => false })

/** Runs the reading of a body, and fails with a problem at the deadline or when the node stops. */
export type WithDeadline = <A>(reading: Effect.Effect<A, Problem>) => Effect.Effect<A, Problem>

/** The rest of the body would look like another request, so the connection closes. */
const tooSlow = withHeaders(
  problem("request-timeout", `The body did not arrive within ${bodyTimeoutMs / 1000} s: send the request again`, {}),
  {
    connection: "close"
  }
)

const leaving = withHeaders(problem("draining", "This node is stopping: ask another node", { definite: true }), {
  connection: "close"
})

/** Gives one request a timer of its own. */
const alone: WithDeadline = (reading) =>
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

/** The deadline that readers of a body use. */
export const BodyDeadline = Context.Reference<WithDeadline>("lithair/Http/BodyDeadline", { defaultValue: () => alone })

interface Waiting {
  readonly endMs: number
  readonly isLeaving: () => boolean
  readonly giveUp: (why: Problem) => void
}

/** One timer for all requests, until the scope closes: a timer for each would cost more than reading a small body. */
export const together: Effect.Effect<WithDeadline, never, Scope.Scope> = Effect.gen(function* () {
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
          // Resume first: once the reading is interrupted, its exit must not become the answer.
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

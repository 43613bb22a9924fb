/**
 * The deadline of request bodies. A client that does not send its body frees its place at the deadline, and a node that
 * is stopping does not wait for bodies at all. RFC 9110 §15.5.9.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem, withHeaders } from "../Problem.ts"
import { InFlight } from "../Raft/node/InFlight.ts"

/** How long a body may take to come. */
export const bodyTimeoutMs = 10_000
/** How often to check the deadlines and whether the node is stopping. */
const lookEveryMs = 100

/** Whether the node is stopping, so that it no longer waits for bodies. */
export const IsLeaving = Context.Reference<() => boolean>("lithair/Http/IsLeaving", { defaultValue: () => () => false })

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

/** A body that has not come yet. */
export interface AwaitedBody {
  readonly isLeaving: () => boolean
  /** Called at the deadline, or when the node stops. */
  readonly giveUp: (why: Problem) => void
}

/** The bodies that a node waits for. */
export interface Bodies {
  /** Counts the time of a body from now on, until the returned function is called. */
  readonly await: (body: AwaitedBody) => () => void
}

/** One list and one timer for all requests, until the scope closes: a timer for each would cost more than a small body. */
export const make: Effect.Effect<Bodies, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const waiting = new InFlight<{ readonly body: AwaitedBody; readonly endMs: number }>()
  let nextNumber = 1
  const isAny = yield* Latch.make(false)

  const look = Effect.gen(function* () {
    yield* isAny.await
    yield* Effect.sleep(lookEveryMs)
    for (const [number, { body, endMs }] of waiting.entries()) {
      const why = body.isLeaving() ? leaving : nowMs() >= endMs ? tooSlow : undefined
      if (why === undefined) continue
      if (waiting.delete(number)) body.giveUp(why)
    }
    if (waiting.size === 0) isAny.closeUnsafe()
  })
  yield* Effect.forkScoped(Effect.forever(look))

  return {
    await: (body) => {
      const number = nextNumber++
      waiting.set(number, { body, endMs: nowMs() + bodyTimeoutMs })
      isAny.openUnsafe()
      return () => void waiting.delete(number)
    }
  }
})

/** The bodies among which a request's own is counted. Without them it waits as long as the body takes. */
export const AwaitedBodies = Context.Reference<Bodies | undefined>("lithair/Http/AwaitedBodies", {
  defaultValue: () => undefined
})

/** Runs the reading of a body, and fails with a problem at the deadline or when the node stops. */
export const withDeadline = <A>(reading: Effect.Effect<A, Problem>): Effect.Effect<A, Problem> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const bodies = Context.get(context, AwaitedBodies)
    if (bodies === undefined) return reading
    return Effect.callback<A, Problem>((resume) => {
      const fiber = Effect.runForkWith(context)(reading)
      const come = bodies.await({
        isLeaving: Context.get(context, IsLeaving),
        // Resume first: once the reading is interrupted, its exit must not become the answer.
        giveUp: (why) => {
          resume(Effect.fail(why))
          fiber.interruptUnsafe()
        }
      })
      fiber.addObserver((exit) => {
        come()
        resume(exit)
      })
      return Effect.sync(() => {
        come()
        fiber.interruptUnsafe()
      })
    })
  })

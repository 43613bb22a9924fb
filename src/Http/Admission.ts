/**
 * Limits how many requests are under way, and how many begin in one go. A node talks to its peers on the same thread.
 * So requests begin in slices, and heartbeats go out and come in between two slices: load makes a node slow, but never
 * silent. Peers' sockets and health checks bypass these limits. docs/raft.md.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem } from "../Problem.ts"
import { Reserve, Turn } from "./Body.ts"
import { BodyDeadline, together } from "./BodyDeadline.ts"

/** The most requests under way. The node refuses more. */
export const requestsMaxCount = 4096
/** The most bytes of bodies that requests under way have sent. The node refuses a request whose next part exceeds it. */
export const bodiesMaxBytes = 16 * 1024 * 1024
/** How long requests may begin before other work has its turn. */
const sliceNanos = 10_000_000n

export interface Admission {
  /** Runs the handler of a request in its turn, or refuses the request before it begins. */
  readonly admit: <A, E, R>(handler: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Problem, R>
}

const refused = Effect.suspend(() =>
  Effect.fail(problem("overloaded", "This node is overloaded: try again later", { definite: true }))
)

export const make: Effect.Effect<Admission, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const isWaited = yield* Latch.make(false)
  const waiting: Array<() => void> = []
  /** When the current slice ends; undefined if no request has begun since other work had its turn. */
  let sliceEndNanos: bigint | undefined
  let underWayCount = 0
  let underWayBytes = 0

  /** Whether one more request may begin now. The first request starts the slice. */
  const mayBegin = (): boolean => {
    if (waiting.length > 0) return false
    const nowNanos = clock.monotonicTimeNanosUnsafe()
    if (sliceEndNanos === undefined) {
      sliceEndNanos = nowNanos + sliceNanos
      isWaited.openUnsafe()
    }
    return nowNanos < sliceEndNanos
  }

  const turn = Effect.suspend(() =>
    mayBegin()
      ? Effect.void
      : Effect.callback<void>((resume) => {
          const begin = () => resume(Effect.void)
          waiting.push(begin)
          return Effect.sync(() => {
            const position = waiting.indexOf(begin)
            if (position >= 0) waiting.splice(position, 1)
          })
        })
  )

  /** Runs one slice after another, each in its own turn of the event loop. */
  const slices = Effect.gen(function* () {
    yield* isWaited.await
    isWaited.closeUnsafe()
    yield* Effect.yieldNow
    while (waiting.length > 0) {
      const endNanos = clock.monotonicTimeNanosUnsafe() + sliceNanos
      sliceEndNanos = endNanos
      while (waiting.length > 0 && clock.monotonicTimeNanosUnsafe() < endNanos) waiting.shift()?.()
      yield* Effect.yieldNow
    }
    sliceEndNanos = undefined
  })
  yield* Effect.forkScoped(Effect.forever(slices))

  const shared = Context.make(Turn, turn).pipe(Context.add(BodyDeadline, yield* together))

  return {
    admit: <A, E, R>(handler: Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, E | Problem, R> => {
        if (underWayCount >= requestsMaxCount) return refused
        let ownBytes = 0
        const reserve = (bytes: number): Effect.Effect<void, Problem> => {
          if (underWayBytes + bytes > bodiesMaxBytes) return refused
          underWayBytes += bytes
          ownBytes += bytes
          return Effect.void
        }
        underWayCount += 1
        const isOver = Effect.sync(() => {
          underWayCount -= 1
          underWayBytes -= ownBytes
        })
        const own = Effect.provide(handler, Context.add(shared, Reserve, reserve))
        return Effect.ensuring(Effect.andThen(turn, own), isOver)
      })
  }
})

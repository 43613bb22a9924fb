/**
 * How much of what clients ask is under way at once, and how much of it begins in one go. A node speaks to its peers
 * from the same thread: requests begin in slices, and between two of them beats are sent and heard, so that load makes
 * a node slow and never silent. Peers' sockets and health are not admitted here. docs/raft.md, D8.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem } from "../Problem.ts"
import { Reserve, Turn } from "./Body.ts"
import { Patience, together } from "./Patience.ts"

/** Requests under way; one more is refused. */
export const requestsMaxCount = 4096
/** Bodies of requests under way, as far as they have come; whose next part finds no room is refused. */
export const bodiesMaxBytes = 16 * 1024 * 1024
/** How long requests begin before whatever else waits has its turn. */
const sliceNanos = 10_000_000n

export interface Admission {
  /** Runs what a request asks for, when its turn has come; or refuses it before it has begun. */
  readonly admit: <A, E, R>(handler: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Problem, R>
}

const refused = Effect.suspend(() =>
  Effect.fail(problem("overloaded", "This node does as much as it can: try again later", { definite: true }))
)

export const make: Effect.Effect<Admission, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const isWaited = yield* Latch.make(false)
  const waiting: Array<() => void> = []
  /** When the slice under way ends; undefined while nothing has begun since others had their turn. */
  let sliceEndNanos: bigint | undefined
  let underWayCount = 0
  let underWayBytes = 0

  /** Whether one more may begin at once. The first one of a slice begins it. */
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

  /** One slice after another, each in a turn of the event loop of its own. */
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

  const shared = Context.make(Turn, turn).pipe(Context.add(Patience, yield* together))

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

/**
 * Limits how many requests are under way, and how many begin in one go. A node talks to its peers on the same thread.
 * So requests begin in slices, and heartbeats go out and come in between two slices: load makes a node slow, but never
 * silent. Peers' sockets and health checks bypass these limits. docs/raft.md.
 */
import { Clock, Context, Effect, Latch, type Scope } from "effect"
import { type Problem, problem } from "../Problem.ts"
import * as Histogram from "../Raft/node/Histogram.ts"
import { AnswerTurn, Reserve, Turn } from "./Body.ts"
import { AwaitedBodies, type Bodies, make as makeBodies } from "./BodyDeadline.ts"
import { stuckMaxMs } from "./Stuck.ts"

/** The most requests under way. The node refuses more. */
export const requestsMaxCount = 4096
/** The most bytes of bodies that requests under way have sent. The node refuses a request whose next part exceeds it. */
export const bodiesMaxBytes = 16 * 1024 * 1024
/**
 * The most bytes of answers that clients have not taken yet. Above it the node refuses requests before they begin; so the
 * answers under way may exceed it once.
 */
export const answersMaxBytes = 64 * 1024 * 1024
/** A smaller answer goes to the buffer of its connection at once, and is not counted. */
const answerMinBytes = 16 * 1024
/** How long requests may begin before other work has its turn. */
const sliceNanos = 10_000_000n
/**
 * How long a request may wait for its turn. While one has waited for longer, the node refuses others: there is more to do
 * than it can, and who waits longer only gets the same refusal later.
 */
export const turnMaxMs = 100
const turnMaxNanos = BigInt(turnMaxMs) * 1_000_000n

/** The place of one request among those under way. */
export interface Place {
  /** Calls `begin` when the request may go on, perhaps at once. It must not throw. */
  readonly turn: (begin: () => void) => void
  /** Takes room for bytes that have come. Returns the refusal if there is none. */
  readonly reserve: (bytes: number) => Problem | undefined
  /** Frees the place and its room. Call it once. */
  readonly leave: () => void
}

/** A response of the server; one of these events tells its end. The server closes a connection whose time is over. */
export interface Sending {
  readonly on: (event: "finish" | "close", listener: () => void) => unknown
  readonly socket?: { readonly timeout?: number | undefined; readonly setTimeout?: (ms: number) => unknown } | null
}

/** Admits requests to a node. */
export interface Admission {
  /** Counts the bytes of an answer until its response ends. A client that takes nothing of it for a minute is cut off. */
  readonly count: (bytes: number, response: Sending) => void
  /** Whether a large answer may begin: clients have taken most of those before it. */
  readonly hasRoom: () => boolean
  /**
   * Gives a place to one more request. Undefined if all are taken, if others wait for too long already, or if clients
   * take no answers: refuse it with `overloaded`.
   */
  readonly enter: () => Place | undefined
  /** Whether the node refuses requests now. */
  readonly isRefusing: () => boolean
  /** How long requests took, from their place to their answer. */
  readonly durations: Histogram.Histogram
  /** The requests under way. */
  readonly underWay: () => number
  /** The bodies that requests wait for. */
  readonly bodies: Bodies
  /** Runs the handler of a request in its turn, or refuses the request before it begins. */
  readonly admit: <A, E, R>(handler: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Problem, R>
}

/** The refusal of a request that finds no place or no room. */
export const overloaded = problem("overloaded", "This node is overloaded: try again later", { definite: true })

export const make: Effect.Effect<Admission, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const isWaited = yield* Latch.make(false)
  /** In the order in which they came, with the time of that. */
  const waiting: Array<{ readonly sinceNanos: bigint; readonly begin: () => void }> = []
  /** When the current slice ends; undefined if no request has begun since other work had its turn. */
  let sliceEndNanos: bigint | undefined
  let underWayCount = 0
  let underWayBytes = 0
  let answersBytes = 0
  const durations = Histogram.make()

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

  const turn = (begin: () => void): void => {
    if (mayBegin()) begin()
    else waiting.push({ sinceNanos: clock.monotonicTimeNanosUnsafe(), begin })
  }

  /** Runs one slice after another, each in its own turn of the event loop. */
  const slices = Effect.gen(function* () {
    yield* isWaited.await
    isWaited.closeUnsafe()
    yield* Effect.yieldNow
    while (waiting.length > 0) {
      const endNanos = clock.monotonicTimeNanosUnsafe() + sliceNanos
      sliceEndNanos = endNanos
      while (waiting.length > 0 && clock.monotonicTimeNanosUnsafe() < endNanos) waiting.shift()?.begin()
      yield* Effect.yieldNow
    }
    sliceEndNanos = undefined
  })
  yield* Effect.forkScoped(Effect.forever(slices))

  const hasRoom = (): boolean => answersBytes < answersMaxBytes

  /** Whether requests come faster than they begin. */
  const isBehind = (): boolean => {
    const [oldest] = waiting
    return oldest !== undefined && clock.monotonicTimeNanosUnsafe() - oldest.sinceNanos > turnMaxNanos
  }

  const isRefusing = (): boolean => underWayCount >= requestsMaxCount || isBehind() || !hasRoom()

  const enter = (): Place | undefined => {
    if (isRefusing()) return undefined
    underWayCount += 1
    const beganNanos = clock.monotonicTimeNanosUnsafe()
    let ownBytes = 0
    return {
      turn,
      reserve: (bytes) => {
        if (underWayBytes + bytes > bodiesMaxBytes) return overloaded
        underWayBytes += bytes
        ownBytes += bytes
        return undefined
      },
      leave: () => {
        underWayCount -= 1
        underWayBytes -= ownBytes
        Histogram.record(durations, Histogram.secondsBetween(beganNanos, clock.monotonicTimeNanosUnsafe()))
      }
    }
  }

  const bodies = yield* makeBodies
  const awaitTurn = Effect.callback<void>((resume) => turn(() => resume(Effect.void)))
  const answerTurn = Effect.flatMap(awaitTurn, () => (hasRoom() ? Effect.void : Effect.fail(overloaded)))
  const shared = Context.make(Turn, awaitTurn).pipe(
    Context.add(AnswerTurn, answerTurn),
    Context.add(AwaitedBodies, bodies)
  )

  return {
    enter,
    isRefusing,
    hasRoom,
    durations,
    underWay: () => underWayCount,
    count: (bytes, response) => {
      if (bytes < answerMinBytes) return
      answersBytes += bytes
      const { socket } = response
      // Node starts this time again whenever the client takes some bytes; Bun and Deno do not see that.
      socket?.setTimeout?.(stuckMaxMs)
      let isSent = false
      const sent = (): void => {
        if (isSent) return
        isSent = true
        answersBytes -= bytes
        // Unless the runtime has set its own: the next request on the connection may take its time.
        if (socket?.timeout === stuckMaxMs) socket.setTimeout?.(0)
      }
      response.on("finish", sent)
      response.on("close", sent)
    },
    bodies,
    admit: <A, E, R>(handler: Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, E | Problem, R> => {
        const place = enter()
        if (place === undefined) return Effect.fail(overloaded)
        const reserve = (bytes: number): Effect.Effect<void, Problem> => {
          const refusal = place.reserve(bytes)
          return refusal === undefined ? Effect.void : Effect.fail(refusal)
        }
        const own = Effect.provide(handler, Context.add(shared, Reserve, reserve))
        return Effect.ensuring(Effect.andThen(awaitTurn, own), Effect.sync(place.leave))
      })
  }
})

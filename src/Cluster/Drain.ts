/**
 * How a member ends in order: it takes no more orders, waits for those under way, hands over what it leads, and gives up
 * what does not end by itself. Whoever waits then is told what is certain of it, as long as there is a server to answer
 * them and links to answer peers: a connection that is cut says nothing, and an order that was proposed may be done (C18).
 */
import { Effect } from "effect"

/** How long each step of the end may take: orders under way, the hand-over, and those that waited for it. */
const drainTimeoutMs = 1_000
/** How long a read may take once the node has drained: less than a server gives the requests under way when it closes. */
const lastReadsMs = 250
const drainPollMs = 10

export interface Draining {
  /** Whether this node takes no more orders. Reads go on. */
  readonly isDraining: () => boolean
  /** Whether nothing is waited for or tried again here. */
  readonly isStopping: () => boolean
  /** Runs an order that a client of this node gave, until it is answered, however many attempts that takes. */
  readonly given: <A, E, R>(order: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Runs one attempt at an order: here, for whomever, or at the leader elsewhere. */
  readonly attempted: <A, E, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly drain: Effect.Effect<void>
}

export const make = (options: {
  readonly handOver: Effect.Effect<void>
  /** Tells all who wait here, reads included. */
  readonly giveUp: () => void
  readonly fork: (effect: Effect.Effect<void>) => void
}): Draining => {
  const given = counter()
  const attempted = counter()
  let isDraining = false
  let isStopping = false

  const giveUp = Effect.sync(() => {
    isStopping = true
    options.giveUp()
  })

  const orElseGiveUp = (wait: Effect.Effect<void>) =>
    Effect.timeoutOrElse(wait, { duration: drainTimeoutMs, orElse: () => giveUp })

  const drain = Effect.gen(function* () {
    isDraining = true
    // An order whose attempts another leader is to answer waits for the hand-over: it does not hold it up.
    yield* orElseGiveUp(attempted.isNone)
    yield* withinTime(options.handOver)
    yield* orElseGiveUp(given.isNone)
    yield* withinTime(given.isNone)
    options.fork(Effect.delay(giveUp, lastReadsMs))
  })

  return {
    isDraining: () => isDraining,
    isStopping: () => isStopping,
    given: given.counted,
    attempted: attempted.counted,
    drain
  }
}

const withinTime = (wait: Effect.Effect<void>) =>
  Effect.timeoutOrElse(wait, { duration: drainTimeoutMs, orElse: () => Effect.void })

/** How much of something is under way. */
const counter = () => {
  let count = 0
  const isOver = Effect.sync(() => {
    count -= 1
  })
  return {
    counted: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        count += 1
        return Effect.ensuring(effect, isOver)
      }),
    isNone: Effect.sleep(drainPollMs).pipe(Effect.repeat({ until: () => count === 0 }), Effect.asVoid)
  }
}

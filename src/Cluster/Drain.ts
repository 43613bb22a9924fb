/**
 * The orderly end of a member. It takes no more orders, waits for those under way, hands leadership over, and gives up
 * the rest. It tells every waiting request what is certain while the server can still answer clients and the links can
 * still answer peers: a connection that is cut says nothing, and a proposed order may be done (C18).
 */
import { Effect } from "effect"
import * as Condition from "../Raft/node/Condition.ts"

/** The limit for each step: for orders under way, for the hand-over, and for orders that waited for it. */
const drainTimeoutMs = 1_000
/** How long a read may take after the drain. It is less than the time that a server gives requests when it closes. */
const lastReadsMs = 250

/** The drain of one member, and the orders that it waits for. */
export interface Draining {
  /** Whether this node takes no more orders. It still serves reads. */
  readonly isDraining: () => boolean
  /** Whether this node waits for nothing and retries nothing any more. */
  readonly isStopping: () => boolean
  /** Counts an order of this node's client until it is answered, over all its attempts. */
  readonly given: Counter
  /** Counts one attempt at an order: one made here, for a client or a peer, or one sent to the leader. */
  readonly attempted: Counter
  readonly drain: Effect.Effect<void>
  /** Waits for nothing any more, and tells all waiting requests. */
  readonly giveUp: () => void
}

/** Counts requests under way. */
export interface Counter {
  /** Counts a request until the function that it returns is called. */
  readonly begin: () => () => void
}

export const make = (options: {
  /** Tells all that waits that this node has begun to stop. */
  readonly begun: () => void
  readonly handOver: Effect.Effect<void>
  /** Tells all requests that wait here, reads included. */
  readonly giveUp: () => void
  readonly fork: (effect: Effect.Effect<void>) => void
}): Draining => {
  let isDraining = false
  let isStopping = false
  const { changed, until } = Condition.make()

  const counter = () => {
    let count = 0
    const end = (): void => {
      count -= 1
      // The request itself is told its outcome before the drain goes on.
      if (isDraining && count === 0) options.fork(Effect.andThen(Effect.yieldNow, Effect.sync(changed)))
    }
    return {
      begin: () => {
        count += 1
        let isOver = false
        return () => {
          if (isOver) return
          isOver = true
          end()
        }
      },
      isNone: until(() => count === 0)
    }
  }
  const given = counter()
  const attempted = counter()

  const giveUp = (): void => {
    isStopping = true
    options.giveUp()
  }

  const orElseGiveUp = (wait: Effect.Effect<void>) =>
    Effect.timeoutOrElse(wait, { duration: drainTimeoutMs, orElse: () => Effect.sync(giveUp) })

  const drain = Effect.gen(function* () {
    isDraining = true
    options.begun()
    // An order that only the next leader can answer waits for the hand-over, so the hand-over must not wait for it.
    yield* orElseGiveUp(attempted.isNone)
    yield* withinTime(options.handOver)
    yield* orElseGiveUp(given.isNone)
    yield* withinTime(given.isNone)
    options.fork(Effect.delay(Effect.sync(giveUp), lastReadsMs))
  })

  return {
    isDraining: () => isDraining,
    isStopping: () => isStopping,
    given,
    attempted,
    drain,
    giveUp
  }
}

const withinTime = (wait: Effect.Effect<void>) =>
  Effect.timeoutOrElse(wait, { duration: drainTimeoutMs, orElse: () => Effect.void })

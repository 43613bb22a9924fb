/**
 * Lets connections take turns while more requests wait for the node than help it. A connection that got an answer is not
 * read again until its turn comes, in the order of the answers. Its next request waits in the buffers of the operating
 * system meanwhile. There it costs nothing, while a request in memory costs every collection of garbage, and a refusal a
 * third of a write.
 */
import { Clock, Effect, Latch, type Scope } from "effect"
import * as Bell from "../Raft/node/Bell.ts"

/** More requests than these help nobody: a leader has its best rate with a quarter of them. */
export const busyMaxCount = 1024
/** A connection is not read for so long at most. */
export const turnMaxMs = 1_000
const lookEveryMs = 100

/** A connection that is not read. */
export interface Held {
  /** Reads it on. Returns false if it is closed, so that another one may have its turn. */
  readonly release: () => boolean
}

/** The turns of a node's connections. */
export interface Turns {
  /** Whether a connection whose request is answered must wait for its turn. */
  readonly mustWait: () => boolean
  /** Adds a connection behind all others that wait. */
  readonly wait: (held: Held) => void
  /** Requests were answered: others may have their turn. */
  readonly passed: () => void
}

export const make = Effect.fnUntraced(function* (
  /** How many requests wait for the node, without those whose bodies are still to come. */
  busyCount: () => number
): Effect.fn.Return<Turns, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const nowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const isAny = yield* Latch.make(false)
  /** In the order in which they came, the first `passedCount` without those that had their turn. */
  let waiting: Array<{ readonly held: Held; readonly sinceMs: number }> = []
  let passedCount = 0
  /** Those that were released, and whose requests have not been read yet. */
  let releasedCount = 0

  const isRoom = (): boolean => busyCount() + releasedCount < busyMaxCount

  const releaseFirst = (): void => {
    const isOpen = waiting[passedCount]?.held.release() === true
    passedCount += 1
    if (isOpen) releasedCount += 1
    if (passedCount < 1024 || 2 * passedCount < waiting.length) return
    waiting = waiting.slice(passedCount)
    passedCount = 0
  }

  const passed = (): void => {
    if (passedCount === waiting.length) return
    while (passedCount < waiting.length && isRoom()) releaseFirst()
    if (passedCount === waiting.length) {
      waiting = []
      passedCount = 0
    }
    if (releasedCount > 0) ring()
  }
  // The event loop has read those that were released, if they have sent anything.
  const ring = yield* Bell.make(() => {
    releasedCount = 0
    passed()
  })

  const look = Effect.gen(function* () {
    yield* isAny.await
    yield* Effect.sleep(lookEveryMs)
    const endMs = nowMs() - turnMaxMs
    while ((waiting[passedCount]?.sinceMs ?? Number.POSITIVE_INFINITY) <= endMs) releaseFirst()
    passed()
    if (waiting.length === 0) isAny.closeUnsafe()
  })
  yield* Effect.forkScoped(Effect.forever(look))

  return {
    mustWait: () => busyCount() >= busyMaxCount,
    wait: (held) => {
      waiting.push({ held, sinceMs: nowMs() })
      isAny.openUnsafe()
    },
    passed
  }
})

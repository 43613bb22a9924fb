/**
 * Wakes the followers that wait at the end of a log, a few at once: with each entry all of them have something to do, and
 * the write that made it, or the next one, must not wait for a thousand of them.
 */
import { Effect, Latch, type Scope } from "effect"

/** How many go on before other work has its turn. */
const wokenAtOnceCount = 4

/** The end of a log, as its feed knows it. */
interface End {
  readonly appliedIndex: () => number
  readonly applied: (index: number) => Effect.Effect<void>
}

/** Waits until an index is applied, the next one at most. */
export type Applied = (index: number) => Effect.Effect<void>

interface Waiter {
  readonly index: number
  readonly resume: () => void
}

/** Wakes the followers of one log until the scope closes. */
export const make = Effect.fnUntraced(function* ({
  applied,
  appliedIndex
}: End): Effect.fn.Return<Applied, never, Scope.Scope> {
  const waiting = new Set<Waiter>()
  const isWaited = yield* Latch.make(false)
  /** All were woken that waited for an entry up to this one. */
  let wokenIndex = appliedIndex()

  const wake = Effect.gen(function* () {
    yield* isWaited.await
    // Entries may have been applied since the last followers were woken.
    yield* applied(wokenIndex + 1)
    wokenIndex = appliedIndex()
    let count = 0
    for (const waiter of [...waiting]) {
      if (waiter.index > appliedIndex() || !waiting.delete(waiter)) continue
      waiter.resume()
      count += 1
      if (count % wokenAtOnceCount === 0) yield* Effect.yieldNow
    }
    if (waiting.size === 0) isWaited.closeUnsafe()
  })
  yield* Effect.forkScoped(Effect.forever(wake))

  return (index) =>
    Effect.callback<void>((resume) => {
      if (index <= appliedIndex()) return void resume(Effect.void)
      const waiter: Waiter = { index, resume: () => resume(Effect.void) }
      waiting.add(waiter)
      isWaited.openUnsafe()
      return Effect.sync(() => waiting.delete(waiter))
    })
})

/**
 * Runs one projection in memory: starts from the saved states, or else from the first entry, and then folds every entry
 * that the node applies. Saves now and then, and when the node stops in order.
 */
import { Clock, Effect, Result, type Scope, Semaphore } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import type { Folded } from "./Definition.ts"
import type * as Fold from "./Fold.ts"
import * as Folding from "./Folding.ts"
import { type Following, follow } from "./Following.ts"
import { decoding, encode } from "./Saved.ts"

/** Saves after so many entries, or as many as there are keys. A start folds at most these again. */
export const saveAfterCount = 10_000

/** How long to decode states before other work has its turn: the node may already be the leader. */
const decodeMaxNanos = 10_000_000n

/** Removes what is saved of a projection that does not run. */
export const remove = (projection: Folded<unknown>, files: DerivedFiles) => files.remove(fileOf(projection))

/** A projection on this node. */
export interface Running<S> extends Following {
  /** The states at {@link Following.index}. Both change together: read them before any other code runs. */
  readonly states: Fold.States<S>
}

const fileOf = ({ name }: Folded<unknown>): string => `${name}.projection`

const decodeInSlices = Effect.fnUntraced(function* <S>(projection: Folded<S>, bytes: Uint8Array) {
  const clock = yield* Clock.Clock
  const steps = decoding(projection, bytes)
  let endNanos = clock.monotonicTimeNanosUnsafe() + decodeMaxNanos
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    if (clock.monotonicTimeNanosUnsafe() < endNanos) continue
    yield* Effect.yieldNow
    endNanos = clock.monotonicTimeNanosUnsafe() + decodeMaxNanos
  }
})

/** Reads the saved states, if there are any, or returns why it cannot use them. */
const load = Effect.fnUntraced(function* <S>(projection: Folded<S>, files: DerivedFiles) {
  const read = yield* Effect.result(files.read(fileOf(projection)))
  if (Result.isFailure(read)) return Result.fail(read.failure.message)
  return read.success === undefined ? Result.succeed(undefined) : yield* decodeInSlices(projection, read.success)
})

/** Runs a projection until the scope closes. */
export const run = Effect.fnUntraced(function* <S>(
  projection: Folded<S>,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly saveAfterCount?: number }
): Effect.fn.Return<Running<S>, never, Scope.Scope> {
  const { feed, files } = options
  const saved = yield* load(projection, files)
  if (Result.isFailure(saved)) {
    yield* Effect.logWarning(
      `Cannot use "${fileOf(projection)}": ${saved.failure}. Folding the projection again from the first entry`
    )
  }
  const folding = Folding.begin(projection, saved, options.saveAfterCount ?? saveAfterCount)
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  let keptIndex = folding.index

  /** A failed save loses nothing: the next start just folds more entries. */
  const save = Effect.gen(function* () {
    const snapshot = Folding.snapshot(folding)
    const parts: Array<Uint8Array> = []
    for (const part of encode(projection, snapshot)) {
      if (Result.isFailure(part)) return yield* Effect.logWarning(`Cannot save ${projection.name}: ${part.failure}`)
      parts.push(part.success)
      yield* Effect.yieldNow
    }
    yield* files.write(fileOf(projection), parts)
    keptIndex = snapshot.index
  }).pipe(
    Effect.catch((failed) => Effect.logWarning(`Cannot save ${projection.name}`, failed)),
    Effect.uninterruptible
  )

  /** The last save, after folding has ended. It waits for a save that is under way. */
  yield* Effect.addFinalizer(() =>
    oneAtATime.withPermits(1)(Effect.suspend(() => (folding.index === keptIndex ? Effect.void : save)))
  )

  const take = (entries: ReadonlyArray<AppliedEntry>) =>
    Effect.gen(function* () {
      yield* Effect.fromResult(Folding.take(folding, entries))
      // If saving is slower than folding, waiting saves would each hold all states.
      if (Folding.takeDue(folding)) yield* Effect.forkIn(oneAtATime.withPermitsIfAvailable(1)(save), scope)
      return folding.index
    })

  const following = yield* follow({ position: folding, feed, take })
  return { ...following, states: folding.states }
})

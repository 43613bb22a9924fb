/**
 * One projection that is folded in memory, running on this node: from what was saved, or else from the first entry on,
 * and then with every entry that is applied. Saved now and then, and when the node stops in order.
 */
import { Clock, Effect, Result, type Scope, Semaphore } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import type { Folded } from "./Definition.ts"
import type * as Fold from "./Fold.ts"
import * as Folding from "./Folding.ts"
import { type Following, follow } from "./Following.ts"
import { decoding, encode } from "./Saved.ts"

/** Entries after which it is saved, if they are also as many as it has keys: a start folds no more than these anew. */
export const saveAfterCount = 10_000

/** How long states are decoded before whatever else waits has its turn: the node may lead already. */
const decodeMaxNanos = 10_000_000n

/** A projection on this node. */
export interface Running<S> extends Following {
  /** The states at {@link Following.index}: the two change together, and are to be looked at before anything else runs. */
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

/** What was saved, if there is any; or why it cannot be used. */
const load = Effect.fnUntraced(function* <S>(projection: Folded<S>, files: DerivedFiles) {
  const read = yield* Effect.result(files.read(fileOf(projection)))
  if (Result.isFailure(read)) return Result.fail(read.failure.message)
  return read.success === undefined ? Result.succeed(undefined) : yield* decodeInSlices(projection, read.success)
})

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* <S>(
  projection: Folded<S>,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly saveAfterCount?: number }
): Effect.fn.Return<Running<S>, never, Scope.Scope> {
  const { feed, files } = options
  const saved = yield* load(projection, files)
  if (Result.isFailure(saved)) {
    yield* Effect.logWarning(`Cannot use "${fileOf(projection)}": ${saved.failure}; it is folded anew`)
  }
  const folding = Folding.begin(projection, saved, options.saveAfterCount ?? saveAfterCount)
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  let keptIndex = folding.index

  /** A failure is no loss: a start folds more anew. */
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

  /** Last of all, once nothing is folded any more; one that is under way is waited for. */
  yield* Effect.addFinalizer(() =>
    oneAtATime.withPermits(1)(Effect.suspend(() => (folding.index === keptIndex ? Effect.void : save)))
  )

  const take = (entries: ReadonlyArray<AppliedEntry>) =>
    Effect.gen(function* () {
      yield* Effect.fromResult(Folding.take(folding, entries))
      // Where saving is slower than folding, saves that wait would each hold all states.
      if (Folding.takeDue(folding)) yield* Effect.forkIn(oneAtATime.withPermitsIfAvailable(1)(save), scope)
      return folding.index
    })

  const following = yield* follow({ position: folding, feed, take })
  return { ...following, states: folding.states }
})

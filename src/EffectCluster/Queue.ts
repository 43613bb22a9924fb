/**
 * Effect's `PersistedQueueStore` over the log of this node. Who takes an element has it for a lease of the log's age, which is
 * prolonged while it works, and another one takes the element once the lease is over. Takers sleep until the feed of this
 * node has something for them, or an element becomes due.
 */
import { Cause, Duration, Effect, Exit, Latch, Layer, Predicate, Schedule } from "effect"
import { SecureRandom } from "effect/crypto"
import { PersistedQueue } from "effect/persistence"
import { Member } from "../Cluster/Member.ts"
import { describe } from "../Model/Class.ts"
import { offer, removeFinished, renew, settle, take } from "./QueueCommands.ts"
import { QueueElement } from "./QueueRecords.ts"
import * as Store from "./Store.ts"

/** Settings of the store. */
export interface QueueOptions {
  /** How long an element stays with a taker that gives no sign of life; 90 s by default. */
  readonly lockExpiration?: Duration.Input
}

/** How many elements a taker names at once. */
const namedMaxCount = 32
/** How many elements one entry removes. */
const pageMaxCount = 500
/** Signs of life within a lease. */
const renewalsCount = 3
/** The longest sleep: a timer of a runtime takes no more. */
const sleepMaxMs = 60_000
/** The pause of a taker that named elements and got none, unless they change: the log is younger than its node believes. */
const refusedMs = 250

const failing =
  (what: string) =>
  <A, R>(
    effect: Effect.Effect<A, { readonly cause: unknown }, R>
  ): Effect.Effect<A, PersistedQueue.PersistedQueueError, R> =>
    Effect.mapError(effect, ({ cause }) => new PersistedQueue.PersistedQueueError({ message: `Cannot ${what}`, cause }))

/** Effect marks an element that its queue cannot read by this failure. */
const isUnreadable = (error: unknown): boolean =>
  Predicate.isTagged(error, "~effect/persistence/PersistedQueue/DeadLetter")

const makeStore = Effect.fnUntraced(function* ({ lockExpiration = "90 seconds" }: QueueOptions) {
  const store = yield* Store.make
  const member = yield* Member
  const leaseMs = Duration.toMillis(Duration.fromInputUnsafe(lockExpiration))
  const { name } = describe(QueueElement)
  let changed = Latch.makeUnsafe(false)
  const notify = () => {
    const latch = changed
    changed = Latch.makeUnsafe(false)
    latch.openUnsafe()
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => member.watch({ touched: (model) => void (model === name && notify()), replaced: notify })),
    (end) => Effect.sync(end)
  )

  /** An age that the log had, and the time on this node's clock when it was known. */
  let known = { ageMs: 0, atMs: 0 }
  /** The age of the log, as far as this node knows: it goes on while nothing is written. */
  const ageMs = Effect.clockWith((clock) =>
    Effect.sync(() => {
      const atMs = Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      const passedMs = known.atMs === 0 ? 0 : atMs - known.atMs
      known = { ageMs: Math.max(known.ageMs + passedMs, store.logAgeMs()), atMs }
      return known.ageMs
    })
  )

  /** The first elements that may be taken, and when the next one may be if there are none. */
  const waitingIn = (queue: string, ageMs: number) => {
    const ids: Array<string> = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const { record } of store.each(QueueElement, "openQueue", queue)) {
      if (record.visibleMs > ageMs) nextMs = Math.min(nextMs, record.visibleMs)
      else if (ids.push(record.id) === namedMaxCount) break
    }
    return { ids, nextMs }
  }

  const takeOne = (queue: string, attemptsMaxCount: number) =>
    Effect.gen(function* () {
      const taker = SecureRandom.uuidV4Unsafe()
      for (;;) {
        const latch = changed
        const now = yield* ageMs
        const { ids, nextMs } = yield* store.read(() => waitingIn(queue, now))
        const taken = ids.length === 0 ? null : yield* store.call(take, { ids, taker, attemptsMaxCount, leaseMs })
        if (taken !== null) return { taker, ...taken }
        const restMs = ids.length === 0 ? nextMs - now : refusedMs
        const rest = Effect.sleep(Math.min(Math.max(restMs, 1), sleepMaxMs))
        yield* restMs === Number.POSITIVE_INFINITY ? latch.await : Effect.raceFirst(latch.await, rest)
      }
    })

  const settled = Effect.fnUntraced(function* (
    exit: Exit.Exit<unknown, unknown>,
    attempts: number,
    { maxAttempts, retryDelay }: Parameters<PersistedQueue.PersistedQueueStore["Service"]["take"]>[0]
  ): Effect.fn.Return<{ readonly how: (typeof settle)["payload"]["Type"]["how"]; readonly delayMs: number }> {
    if (Exit.isSuccess(exit)) return { how: "complete", delayMs: 0 }
    const isLost = exit.cause.reasons.some((reason) => Cause.isFailReason(reason) && isUnreadable(reason.error))
    if (isLost) return { how: "fail", delayMs: 0 }
    if (Cause.hasInterruptsOnly(exit.cause)) return { how: "release", delayMs: 0 }
    if (attempts >= maxAttempts) return { how: "fail", delayMs: 0 }
    return { how: "retry", delayMs: Math.ceil(Duration.toMillis(yield* retryDelay(attempts))) }
  })

  const finishedBefore = (field: "completedMs" | "failedMs", beforeMs: number): ReadonlyArray<string> => {
    const ids: Array<string> = []
    for (const { record } of store.from(QueueElement, field, 0)) {
      if ((record[field] ?? Number.POSITIVE_INFINITY) > beforeMs) break
      ids.push(record.id)
    }
    return ids
  }

  return PersistedQueue.PersistedQueueStore.of({
    offer: ({ delay, element, id, name }) =>
      store
        .call(offer, {
          queue: name,
          elementId: id,
          element: JSON.stringify(element),
          delayMs: delay === undefined ? 0 : Math.ceil(Duration.toMillis(delay))
        })
        .pipe(failing(`offer ${id} to ${name}`)),
    take: (options) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const queue = options.name
          const taken = yield* restore(takeOne(queue, options.maxAttempts))
          const { attemptsCount, elementId, taker } = taken
          yield* Effect.addFinalizer((exit) =>
            Effect.flatMap(settled(exit, attemptsCount, options), (how) =>
              store.call(settle, { queue, elementId, taker, ...how })
            ).pipe(
              // Once the lease is over, somebody else takes it.
              Effect.catchCause((cause) => Effect.logWarning(`The end of ${elementId} of ${queue} is not noted`, cause))
            )
          )
          yield* store
            .call(renew, { queue, elementId, taker, leaseMs })
            .pipe(
              Effect.ignore,
              Effect.delay(leaseMs / renewalsCount),
              Effect.repeat(Schedule.forever),
              Effect.interruptible,
              Effect.forkScoped
            )
          return { id: elementId, attempts: attemptsCount, element: JSON.parse(taken.element) as unknown }
        })
      ).pipe(failing(`take from ${options.name}`)) as ReturnType<PersistedQueue.PersistedQueueStore["Service"]["take"]>,
    cleanup: ({ failedTimeToLive, timeToLive }) =>
      Effect.gen(function* () {
        const now = yield* ageMs
        const completed = finishedBefore("completedMs", now - Duration.toMillis(timeToLive))
        const failed =
          failedTimeToLive === undefined ? [] : finishedBefore("failedMs", now - Duration.toMillis(failedTimeToLive))
        const ids = [...completed, ...failed]
        for (let at = 0; at < ids.length; at += pageMaxCount) {
          yield* store.call(removeFinished, { ids: ids.slice(at, at + pageMaxCount) })
        }
      }).pipe(failing("remove finished elements"))
  })
})

/** Keeps queues in the log of this node. */
export const layerQueueStore = (
  options: QueueOptions = {}
): Layer.Layer<PersistedQueue.PersistedQueueStore, never, Member> =>
  Layer.effect(PersistedQueue.PersistedQueueStore, makeStore(options))

/**
 * The writes of a node's own log, from arrival to answer. One fiber commits: it decides all waiting writes in order,
 * appends their entries in one write with one sync, applies them and answers, while the next batch forms. It answers only
 * once all entries below a decision are durable.
 */
import { Cause, Clock, Deferred, Effect, Exit, Queue, type Scope, Stream } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogSpace } from "../EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import type { Circumstances } from "../Machine/Circumstances.ts"
import * as Machine from "../Machine/Machine.ts"
import { entryBytesMax } from "../Machine/Transaction.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import { storageFull } from "../Raft/node/DiskSpace.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Forget, type Settle, settleNow } from "../Raft/node/Settle.ts"
import type { Decision } from "../Raft/node/StateMachine.ts"

/** The limit on writes that wait to be decided. One more is refused as overloaded. */
export const pendingMaxCount = 4096
/** A batch takes no more writes once its payloads pass this. It bounds one sync, and the memory for it. */
const batchBytesMax = entryBytesMax
/** The local log has no elections, so all its entries have one term. */
export const localTerm = 1

type Failure = NotDone | UnknownOutcome

export interface LocalCommits {
  /**
   * Decides a write in its turn, and tells `settle` the result with the index that it reflects, once both are durable. A
   * write that is given up before its turn is not done.
   */
  readonly submit: <Result>(
    decide: (at: Circumstances) => Decision<Result>,
    settle: Settle<Answered<Result>, Failure>
  ) => Forget
  /** Fails with the reason once no more writes are taken. */
  readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
}

/** A write that waits to be decided. */
interface Waiting {
  /** Whether somebody still waits for its outcome. */
  readonly isOpen: () => boolean
  readonly decide: (at: Circumstances) => Undurable
  readonly refuse: (failure: Exit.Exit<never, Failure>) => void
}

/** A write that waits for the disk. Without an entry it changes nothing, but depends on the entries before it. */
interface Undurable {
  readonly payload: Uint8Array | undefined
  readonly succeed: () => void
  readonly refuse: (failure: Exit.Exit<never, Failure>) => void
}

const stoppedHere = Exit.fail(
  new NotDone({ reason: "draining", message: "Cannot write: the log of this node has stopped" })
)
const overloaded = Exit.fail(
  new NotDone({ reason: "overloaded", message: `Cannot write: ${pendingMaxCount} writes wait already` })
)
const noRoom = Exit.fail(storageFull)
/** The next start finds the write or does not. */
const unknown = Exit.fail(new UnknownOutcome({ message: "The log of this node stopped while it wrote" }))

export const make = Effect.fnUntraced(function* (options: {
  readonly machine: Machine.Machine
  readonly newId: () => string
  readonly onApplied: (payloadBytes: number) => void
  /** Runs beside the commits, and ends them if it fails. */
  readonly beside: Effect.Effect<never, LogFailed | LogCorrupt>
}): Effect.fn.Return<LocalCommits, never, LogStore | LogSpace | Scope.Scope> {
  const { machine, newId } = options
  const store = yield* LogStore
  const space = yield* LogSpace
  const clock = yield* Clock.Clock
  const bell = yield* Queue.sliding<void>(1)
  const stopped = yield* Deferred.make<never, LogFailed | LogCorrupt>()
  const pending: Array<Waiting> = []
  /** Writes taken from `pending`. After a defect they stay here, and none of them is done. */
  let underWay: ReadonlyArray<Waiting> = []
  let inFlight: ReadonlyArray<Undurable> = []
  let isEnded = false
  let isStorageShort = false
  yield* Stream.runForEach(space.roomChanges, ({ _tag }) =>
    Effect.sync(() => {
      isStorageShort = _tag === "StorageShort"
    })
  ).pipe(Effect.forkScoped)

  /**
   * Decides the waiting writes in order, and returns the entries to append. A decision that depends on none of them is
   * answered at once.
   */
  const decideBatch = (nowMs: number): ReadonlyArray<LogEntry> => {
    Machine.beginSpeculation(machine)
    Machine.passTime(machine, Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n))
    const entries: Array<LogEntry> = []
    const batch: Array<Undurable> = []
    let bytes = 0
    let takenCount = 0
    const at = machine.applied.index + 1
    const limits = pending.length === 0 ? undefined : Machine.decideLimits(machine, { index: at, nowMs })
    if (limits !== undefined) entries.push({ index: at, term: localTerm, type: "transaction", payload: limits.payload })
    underWay = pending.splice(0)
    for (const waiting of underWay) {
      if (bytes >= batchBytesMax) break
      takenCount++
      // An answer before it may have made its caller give it up.
      if (!waiting.isOpen()) continue
      const index = machine.applied.index + entries.length + 1
      const undurable = waiting.decide({ index, nowMs, newId })
      const { payload } = undurable
      if (payload !== undefined) {
        entries.push({ index, term: localTerm, type: "transaction", payload })
        bytes += payload.length
      }
      if (entries.length === 0) undurable.succeed()
      else batch.push(undurable)
    }
    pending.unshift(...underWay.slice(takenCount))
    underWay = []
    if (pending.length > 0) Queue.offerUnsafe(bell, undefined)
    inFlight = batch
    return entries
  }

  const commit = Effect.gen(function* () {
    const entries = decideBatch(yield* Clock.currentTimeMillis)
    if (entries.length > 0) yield* store.append([{ entries }])
    for (const entry of entries) Machine.apply(machine, entry)
    Machine.dropSpeculation(machine)
    options.onApplied(entries.reduce((sum, { payload }) => sum + payload.length, 0))
    for (const { succeed } of inFlight) succeed()
    inFlight = []
  })

  /** Answers all waiting writes: those handed to the disk are unknown, all others are not done. */
  const end = Effect.sync(() => {
    isEnded = true
    for (const { payload, refuse } of inFlight) refuse(payload === undefined ? stoppedHere : unknown)
    for (const { refuse } of [...underWay, ...pending.splice(0)]) refuse(stoppedHere)
    underWay = []
    inFlight = []
  })

  // A batch that has begun is answered even if the scope closes meanwhile.
  const committing = Effect.forever(Effect.andThen(Queue.take(bell), Effect.uninterruptible(commit)))
  yield* Effect.raceAllFirst([committing, options.beside]).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Deferred.failCause(stopped, cause)
    ),
    Effect.ensuring(end),
    Effect.forkScoped
  )

  /** Why no write is taken. */
  const refusal = (): Exit.Exit<never, NotDone> | undefined => {
    if (isEnded) return stoppedHere
    if (isStorageShort) return noRoom
    return pending.length >= pendingMaxCount ? overloaded : undefined
  }

  return {
    submit: (decide, settle) => {
      const refused = refusal()
      if (refused !== undefined) return settleNow(settle, refused)
      let isOpen = true
      const told: typeof settle = (exit) => {
        if (!isOpen) return
        isOpen = false
        settle(exit)
      }
      const waiting: Waiting = {
        isOpen: () => isOpen,
        decide: (at) => {
          const { entry, result } = decide(at)
          const payload = entry?.payload
          const index = payload === undefined ? at.index - 1 : at.index
          return { payload, refuse: told, succeed: () => told(Exit.succeed({ index, result })) }
        },
        refuse: told
      }
      pending.push(waiting)
      Queue.offerUnsafe(bell, undefined)
      return () => {
        isOpen = false
        const position = pending.indexOf(waiting)
        if (position >= 0) pending.splice(position, 1)
      }
    },
    stopped: Deferred.await(stopped)
  }
})

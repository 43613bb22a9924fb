/**
 * The machine of the node's own log: node-local models, and the local parts of mixed records. It decides, appends,
 * syncs and evolves as in a cluster, without agreement: an entry on this disk is final. The replicated log is apart.
 * D4.
 *
 * One fiber commits. It decides all waiting writes in order, appends their entries in one write with one sync, applies
 * them and answers, while the next batch forms. It answers only once all entries below the decision are durable.
 */
import { Cause, Clock, Context, Deferred, Effect, FiberSet, Layer, Queue, Result, type Scope, Stream } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Directory } from "../EventStore/Directory.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogSpace } from "../EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import { invariant } from "../Invariant.ts"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import { type Command, keyedOf, type Origin, operationsOf } from "../Machine/Command.ts"
import { type CommandResult, type Logged, recalled, resultOf } from "../Machine/CommandResult.ts"
import type { Circumstances, Entry } from "../Machine/decide.ts"
import { isKeyClosed } from "../Machine/decideKey.ts"
import type { KeyStatus, Recalled } from "../Machine/KeyStatus.ts"
import type * as Limits from "../Machine/Limits.ts"
import { type LocalPart, type LocalPartsRequest, type LocalPartsSet, visible } from "../Machine/LocalParts.ts"
import * as Machine from "../Machine/Machine.ts"
import { recall } from "../Machine/Recall.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import * as Sessions from "../Machine/Sessions.ts"
import type { Tables } from "../Machine/Tables.ts"
import { decode, entryBytesMax } from "../Machine/Transaction.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { LocalNotDone, LocalUnknownOutcome } from "./LocalOutcome.ts"
import * as LocalSnapshots from "./LocalSnapshots.ts"

/** The limit on writes that wait to be decided. One more is refused as overloaded. */
export const pendingMaxCount = 4096
/** A batch takes no more writes once its payloads pass this. It bounds one sync, and the memory for it. */
const batchBytesMax = entryBytesMax
/** The payload that one read takes from disk while the log is replayed. */
const replayMaxBytes = 1024 * 1024
/** The local log has no elections, so all its entries have one term. */
const term = 1

/** An answer, and the index in the node's own log that it reflects. */
export interface LocalAnswered<Answer> {
  readonly index: number
  readonly answer: Answer
}

/** The result for local parts: the part that each record now shows, or undefined if a later record has taken the id. */
export type LocalPartsResult =
  | {
      readonly _tag: "Accepted"
      readonly parts: ReadonlyArray<LocalPart | undefined>
      /** Whether this is a copy with the same key, which changed nothing. */
      readonly isReplayed: boolean
    }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

type Submitted<Answer> = Effect.Effect<LocalAnswered<Answer>, LocalNotDone | LocalUnknownOutcome>

/** The node's own log: it keeps node-local models and the local parts of mixed records. */
export class LocalNode extends Context.Service<
  LocalNode,
  {
    /** Decides a command on node-local models, and answers once it is durable. Other models are not found. */
    readonly submit: (command: Command) => Submitted<CommandResult>
    /**
     * Sets local parts of mixed records after their replicated change is committed, all or none, and answers once they
     * are durable. With a key it sets them once. It does not remember a refusal.
     */
    readonly setLocalParts: (request: LocalPartsRequest) => Submitted<LocalPartsResult>
    /** The status of a key on this node's own data. */
    readonly keyStatus: (keyed: Sessions.Keyed) => Effect.Effect<KeyStatus, LocalNotDone>
    /** The durable and applied state. It changes with every batch: read it at once, or clone it. */
    readonly tables: Tables
    /** Fails with the reason once this log stops: a failed disk, or a defect. */
    readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
  }
>()("lithair/EventStore/LocalNode") {}

type Failure = LocalNotDone | LocalUnknownOutcome

/** A write that waits to be decided. */
interface Ticket {
  readonly decide: (at: Circumstances) => Decided
  readonly fail: (failure: Failure) => void
}

/** A write that waits for the disk. Without an entry it changes nothing, but depends on the entries before it. */
interface Decided {
  readonly entry: Entry | undefined
  readonly succeed: () => void
  readonly fail: (failure: Failure) => void
}

const stoppedHere = new LocalNotDone({ reason: "stopped", message: "Cannot write: the log of this node has stopped" })
const overloaded = new LocalNotDone({
  reason: "overloaded",
  message: `Cannot write: ${pendingMaxCount} writes wait already`
})
const storageFull = new LocalNotDone({
  reason: "storage-full",
  message: "Cannot write: the disk of this node is nearly full"
})
const accepted = { _tag: "Accepted" } as const
const unknown = new LocalUnknownOutcome({ message: "The log of this node stopped while it wrote" })

/** Applies the entries of the log after the machine's applied index, and returns the size of their payload. */
const replay = Effect.fnUntraced(function* (machine: Machine.Machine, store: LogStore["Service"]) {
  const toIndex = store.recovered.lastIndex
  let payloadBytes = 0
  for (let index = machine.applied.index + 1; index <= toIndex; ) {
    const entries = yield* store.read({ fromIndex: index, toIndex, maxBytes: replayMaxBytes })
    invariant(entries.length > 0, `entry ${index} of the node's own log was not read`)
    for (const entry of entries) {
      invariant(entry.index === index, `entry ${entry.index} was read where ${index} was to be applied`)
      Machine.apply(machine, entry)
      payloadBytes += entry.payload.length
      index++
    }
  }
  return payloadBytes
})

/** Runs on the log store of its context, until its scope closes. Only the local ones of `models` take commands. */
export const make = Effect.fnUntraced(function* (options: {
  readonly models: ReadonlyArray<Descriptor>
  /** Distinguishes this start of the node from all others ({@link AssignedKey.lifeOf}). */
  readonly life: string
  /** Makes ids for records that come without one. UUIDv7 by default. */
  readonly newId?: () => string
  /** The limits that this node writes to its own log. Those of its release by default. */
  readonly limits?: Limits.Limits
  /** The payload after which a snapshot replaces the log below it. 8 MiB by default. */
  readonly snapshotAfterBytes?: number
}): Effect.fn.Return<LocalNode["Service"], LogFailed | LogCorrupt, LogStore | LogSpace | SnapshotStore | Scope.Scope> {
  const store = yield* LogStore
  const space = yield* LogSpace
  const snapshotFiles = yield* SnapshotStore
  const newId = options.newId ?? (() => uuidV7Unsafe())
  const giveKey = AssignedKey.giver({ life: options.life, isOfNode: true })
  const elsewhere = new Set(options.models.filter(({ mode }) => mode !== "local").map(({ name }) => name))
  const localModels = options.models.filter(({ mode }) => mode === "local")
  const fork = yield* FiberSet.makeRuntime<never>()
  const onThrown: Machine.OnThrown = (thrown, command) =>
    fork(Effect.logError(`A ${command} could not be decided, and did nothing`, thrown))
  const machine = Machine.make(localModels, undefined, onThrown, options.limits)
  machine.applied = (yield* LocalSnapshots.restoreNewest(localModels)) ?? machine.applied
  const replayedBytes = yield* replay(machine, store)
  const snapshots = yield* LocalSnapshots.make({ ...options, tables: () => machine.applied, term })
  // Replayed entries count towards the next snapshot, so that a node which never runs long takes one too.
  snapshots.onApplied(replayedBytes)
  const clock = yield* Clock.Clock
  const passTime = () => Machine.passTime(machine, Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n))

  const bell = yield* Queue.sliding<void>(1)
  const stopped = yield* Deferred.make<never, LogFailed | LogCorrupt>()
  const pending: Array<Ticket> = []
  let inFlight: ReadonlyArray<Decided> = []
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
    passTime()
    const entries: Array<LogEntry> = []
    const batch: Array<Decided> = []
    let bytes = 0
    let taken = 0
    const at = machine.applied.index + 1
    const limits = pending.length === 0 ? undefined : Machine.decideLimits(machine, { index: at, nowMs })
    if (limits !== undefined) entries.push({ index: at, term, type: "transaction", payload: limits.payload })
    for (const ticket of pending) {
      if (bytes >= batchBytesMax) break
      taken++
      const index = machine.applied.index + entries.length + 1
      const decided = ticket.decide({ index, nowMs, newId })
      const payload = decided.entry?.payload
      if (payload !== undefined) {
        entries.push({ index, term, type: "transaction", payload })
        bytes += payload.length
      }
      if (entries.length === 0) decided.succeed()
      else batch.push(decided)
    }
    pending.splice(0, taken)
    if (pending.length > 0) Queue.offerUnsafe(bell, undefined)
    inFlight = batch
    return entries
  }

  const commit = Effect.gen(function* () {
    const entries = decideBatch(yield* Clock.currentTimeMillis)
    if (entries.length > 0) yield* store.append([{ entries }])
    Machine.dropSpeculation(machine)
    for (const entry of entries) Machine.apply(machine, entry)
    snapshots.onApplied(entries.reduce((sum, { payload }) => sum + payload.length, 0))
    for (const { succeed } of inFlight) succeed()
    inFlight = []
  })

  /** Answers all waiting writes: those handed to the disk are unknown, all others are not done. */
  const end = Effect.sync(() => {
    isEnded = true
    for (const { entry, fail } of inFlight) fail(entry === undefined ? stoppedHere : unknown)
    for (const { fail } of pending.splice(0)) fail(stoppedHere)
    inFlight = []
  })

  // A batch that has begun is answered even if the scope closes meanwhile.
  yield* Effect.forever(Effect.andThen(Queue.take(bell), Effect.uninterruptible(commit))).pipe(
    (committing) => Effect.raceAllFirst([committing, space.scrub, space.watch, snapshotFiles.watch]),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Deferred.failCause(stopped, cause)
    ),
    Effect.ensuring(end),
    Effect.forkScoped
  )

  const ask = <Answer>(
    decide: (at: Circumstances) => { readonly entry: Entry | undefined; readonly answer: Answer }
  ): Submitted<Answer> =>
    Effect.callback((resume) => {
      if (isEnded) return resume(Effect.fail(stoppedHere))
      if (isStorageShort) return resume(Effect.fail(storageFull))
      if (pending.length >= pendingMaxCount) return resume(Effect.fail(overloaded))
      const fail = (failure: Failure) => resume(Effect.fail(failure))
      const ticket: Ticket = {
        decide: (at) => {
          const { answer, entry } = decide(at)
          const index = entry === undefined ? at.index - 1 : at.index
          return { entry, fail, succeed: () => resume(Effect.succeed({ index, answer })) }
        },
        fail
      }
      pending.push(ticket)
      Queue.offerUnsafe(bell, undefined)
      // A caller that gives up before the decision withdraws the write.
      return Effect.sync(() => {
        const position = pending.indexOf(ticket)
        if (position >= 0) pending.splice(position, 1)
      })
    })

  /** Reads the outcome of a keyed command from the log; undefined if its entry is compacted away. */
  const recallAt = Effect.fnUntraced(
    function* (index: number): Effect.fn.Return<Recalled | undefined, LogFailed | LogCorrupt> {
      const [entry] = yield* store.read({ fromIndex: index, toIndex: index, maxBytes: 1 })
      const transaction = entry === undefined ? undefined : Result.getOrUndefined(decode(entry.payload))
      invariant(transaction !== undefined, `entry ${index} of the node's own log was not read`)
      return { command: transaction.command, outcome: recall(machine.applied, { index, transaction }) }
    },
    Effect.catch((error) =>
      error._tag === "LogFailed" && error.reason === "compacted"
        ? Effect.succeed(undefined)
        : Effect.fail(
            new LocalNotDone({ reason: "stopped", message: "Cannot tell what was done: the log is not read" })
          )
    )
  )

  const told = Effect.fnUntraced(function* ({ answer, index }: LocalAnswered<CommandResult | Logged>) {
    if (answer._tag !== "Logged") return { index, answer }
    const known = yield* recallAt(answer.replayedIndex)
    return { index, answer: recalled(known?.outcome, answer.replayedIndex) }
  })

  const keyStatus = Effect.fnUntraced(function* (keyed: Sessions.Keyed): Effect.fn.Return<KeyStatus, LocalNotDone> {
    const known = Sessions.find(machine.applied, keyed, machine.applied.logAgeMs)
    if (known === undefined) return { _tag: "Absent" }
    if (known._tag === "Expired") return known
    const became = known._tag === "Kept" ? known : yield* recallAt(known.index)
    if (became === undefined) return { _tag: "Expired" }
    const { command, outcome } = became
    return isKeyClosed(outcome) ? { _tag: "Closed" } : { _tag: "Known", index: known.index, command, outcome }
  })

  const setLocalParts = Effect.fnUntraced(function* ({ origin: given, parts }: LocalPartsRequest) {
    const origin = given === undefined ? undefined : giveKey(given, machine.applied.index)
    const request: LocalPartsRequest = origin === undefined ? { parts } : { parts, origin }
    const asked = ask<({ readonly _tag: "Set" } & LocalPartsSet) | CommandResult | Logged>((at) => {
      const decision = Machine.decideNextParts(machine, request, at)
      return decision._tag === "Set"
        ? { entry: decision.entry, answer: decision }
        : { entry: undefined, answer: resultOf(decision) }
    })
    const { answer, index } = yield* withKey(asked, origin ?? {})
    if (answer._tag === "Set") return { index, answer: { ...accepted, parts: answer.parts, isReplayed: false } }
    const known = yield* told({ answer, index })
    if (known.answer._tag === "Rejected") return { index, answer: known.answer }
    const now = parts.map(({ descriptor: { name: model }, request }) => visible(machine.applied, { model, ...request }))
    return { index, answer: { ...accepted, parts: now, isReplayed: true } }
  })

  return LocalNode.of({
    submit: (given) =>
      Effect.suspend((): Submitted<CommandResult> => {
        const command = giveKey(given, machine.applied.index)
        const operation = operationsOf(command).findIndex(({ model }) => elsewhere.has(model))
        const foreign = operationsOf(command)[operation]
        if (foreign !== undefined) {
          const position = command._tag === "Transact" ? { operation } : {}
          const rejection: Rejection = { _tag: "NotFound", model: foreign.model, ...position }
          return Effect.succeed({ index: machine.applied.index, answer: { _tag: "Rejected", rejection } })
        }
        const asked = ask((at) => {
          const decision = Machine.decideNext(machine, command, at)
          return { entry: Machine.entryOf(decision), answer: resultOf(decision) }
        })
        return withKey(Effect.flatMap(asked, told), command)
      }),
    setLocalParts,
    keyStatus,
    tables: machine.applied,
    stopped: Deferred.await(stopped)
  })
})

/** Adds the key to an unknown outcome, so that a client can ask for it. */
const withKey = <A>(submitted: Submitted<A>, origin: Origin): Submitted<A> =>
  Effect.mapError(submitted, (error) => {
    const key = keyedOf(origin)?.key
    return error._tag === "LocalUnknownOutcome" && key !== undefined
      ? new LocalUnknownOutcome({ message: error.message, key })
      : error
  })

/** Runs on the log in the `local` folder of the data directory. Fails if that log cannot be opened or replayed. */
export const layer = (options: {
  readonly models: ReadonlyArray<Descriptor>
  readonly newId?: () => string
}): Layer.Layer<LocalNode, LogFailed | LogCorrupt, Directory> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const directory = yield* Directory
      const life = AssignedKey.lifeOf(yield* directory.identity, directory.life)
      return Layer.provide(
        Layer.effect(LocalNode, make({ ...options, life })),
        Layer.merge(directory.log("local"), directory.localSnapshots)
      )
    })
  )

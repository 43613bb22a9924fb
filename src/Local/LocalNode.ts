/**
 * The machine of the node's own log: node-local models, and the local parts of mixed records. It decides, appends, syncs
 * and evolves as in a cluster, without agreement: an entry on this disk is final. The replicated log is apart. D4.
 */
import { Context, Effect, Exit, FiberSet, Layer, Option, Result, type Scope } from "effect"
import type { Policy } from "../Access/Policy.ts"
import { Directory } from "../EventStore/Directory.ts"
import { History } from "../EventStore/History.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogSpace } from "../EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import { invariant } from "../Invariant.ts"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import { type Command, type Keyed, keyedOf, type Origin, operationsOf } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import { blankedParts, type Erasures } from "../Machine/Erasure.ts"
import * as Format from "../Machine/Format.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type * as Limits from "../Machine/Limits.ts"
import type { LocalPart } from "../Machine/LocalPart.ts"
import { forgetErased, type LocalPartsRequest, visible } from "../Machine/LocalParts.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Tables } from "../Machine/Tables.ts"
import { decode, encode, type Transaction } from "../Machine/Transaction.ts"
import { type Watcher, watch } from "../Machine/Watcher.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, endingBy, type Forget, guarded, outcomeOf, type Settle, settleNow } from "../Raft/node/Settle.ts"
import { activateModels } from "./activateModels.ts"
import { checkModels, type ModelMismatch } from "./checkModels.ts"
import * as KeyHistory from "./KeyHistory.ts"
import * as LocalCommits from "./LocalCommits.ts"
import * as LocalFeed from "./LocalFeed.ts"
import * as LocalSnapshots from "./LocalSnapshots.ts"
import { recordId } from "./RecordId.ts"
import * as Retention from "./Retention.ts"
import { replay } from "./replay.ts"

/** The result for local parts: the part that each record now shows, or undefined if a later record has taken the id. */
export type LocalPartsResult =
  | {
      readonly _tag: "Accepted"
      readonly parts: ReadonlyArray<LocalPart | undefined>
      /** Whether this is a copy with the same key, which changed nothing. */
      readonly isReplayed: boolean
    }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

type Failure = NotDone | UnknownOutcome

/** The node's own log: it keeps node-local models and the local parts of mixed records. */
export class LocalNode extends Context.Service<
  LocalNode,
  {
    /**
     * Decides a command on node-local models, and tells `settle` the outcome once it is durable. Other models are not
     * found. `settle` and the function that it returns are as for the cluster's log (Member.ts).
     */
    readonly submitUnsafe: (command: Command, settle: Settle<Answered<CommandResult>, Failure>) => Forget
    /** {@link submitUnsafe} as an Effect. Interruption gives the command up. */
    readonly submit: (command: Command) => Effect.Effect<Answered<CommandResult>, Failure>
    /**
     * Sets local parts of mixed records after their replicated change is committed, all or none, and answers once they
     * are durable. With a key it sets them once. It does not remember a refusal.
     */
    readonly setLocalParts: (request: LocalPartsRequest) => Effect.Effect<Answered<LocalPartsResult>, Failure>
    /** The status of a key on this node's own data. */
    readonly keyStatus: (keyed: Keyed) => Effect.Effect<KeyStatus, NotDone>
    /** The transaction of an applied entry of this log; undefined if it is not retained. */
    readonly entry: (index: number) => Effect.Effect<Transaction | undefined, LogFailed | LogCorrupt>
    /** The durable and applied state. It changes with every batch: read it at once, or clone it. */
    readonly tables: Tables
    /** The entries that are durable and applied, in order, as Cluster/Feed.ts has those of the replicated log. */
    readonly feed: LocalFeed.LocalFeed
    /**
     * Removes the local parts of records that were erased from this log, its snapshots and its history, through the
     * erasure at `throughIndex` of the replicated log.
     */
    readonly erase: (throughIndex: number, erasures: Erasures) => Effect.Effect<void, LogFailed | LogCorrupt>
    /** The last erasure that {@link erase} has carried out, durably. */
    readonly erasedThrough: () => number
    /** Has a watcher hear of each record whose local part, or whose whole, changes here (Machine/Watcher.ts). */
    readonly watch: (watcher: Watcher) => () => void
    /** Fails with the reason once this log stops: a failed disk, or a defect. */
    readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
  }
>()("lithair/EventStore/LocalNode") {}

const accepted = { _tag: "Accepted" } as const

/** Runs on the log store of its context, until its scope closes. Only the local ones of `models` take commands. */
export const make = Effect.fnUntraced(function* (options: {
  readonly models: ReadonlyArray<Descriptor>
  /** Distinguishes this start of the node from all others ({@link AssignedKey.lifeOf}). */
  readonly life: string
  /** Makes ids for records that come without one. UUIDv7 by default. */
  readonly newId?: () => string
  /** The limits that this node writes to its own log. Those of its release by default. */
  readonly limits?: Limits.Limits
  /** What this node enforces. Without it the node is open. */
  readonly policy?: Policy
  /** Bounds of the history; all of it is retained by default. */
  readonly retention?: Retention.Retention
  /** The payload after which a snapshot replaces the log below it. 8 MiB by default. */
  readonly snapshotAfterBytes?: number
}): Effect.fn.Return<LocalNode["Service"], LogFailed | LogCorrupt, LogStore | LogSpace | SnapshotStore | Scope.Scope> {
  const store = yield* LogStore
  const space = yield* LogSpace
  const snapshotFiles = yield* SnapshotStore
  const giveKey = AssignedKey.giver({ life: options.life, isOfNode: true })
  const elsewhere = new Set(options.models.filter(({ mode }) => mode !== "local").map(({ name }) => name))
  const localModels = options.models.filter(({ mode }) => mode === "local")
  const fork = yield* FiberSet.makeRuntime<never>()
  const onThrown: Machine.OnThrown = (thrown, command) =>
    fork(Effect.logError(`A ${command} could not be decided, and did nothing`, thrown))
  const machine = Machine.make(localModels, undefined, onThrown, options.limits, Format.ofOwnLog, options.policy)
  machine.applied = (yield* LocalSnapshots.restoreNewest(localModels)) ?? machine.applied
  const replayedBytes = yield* replay(machine, store)
  const snapshots = yield* LocalSnapshots.make({
    ...options,
    tables: () => machine.applied,
    term: LocalCommits.localTerm
  })
  // Replayed entries count towards the next snapshot, so that a node which never runs long takes one too.
  snapshots.onApplied(replayedBytes)
  const { advanced, feed } = LocalFeed.make(store, {
    oldestIndex: space.firstIndex,
    appliedIndex: () => machine.applied.index
  })
  const commits = yield* LocalCommits.make({
    machine,
    newId: options.newId ?? recordId,
    onApplied: (payloadBytes) => {
      snapshots.onApplied(payloadBytes)
      advanced()
    },
    beside: Effect.raceAllFirst([space.scrub, space.watch, snapshotFiles.watch])
  })
  const history = yield* Effect.serviceOption(History)
  if (Option.isSome(history) && options.retention !== undefined) {
    yield* Effect.forkScoped(Retention.follow(history.value, Retention.boundsOf(options.retention)))
  }
  const keys = KeyHistory.make({
    machine,
    fork,
    read: (index) => transactionAt(store, index),
    unknown: ({ message }) => new UnknownOutcome({ message })
  })

  /** Decides a write under its key, which counts as under way until the outcome is told. */
  const submitKeyed = <Result>(
    origin: Origin,
    decide: Parameters<typeof commits.submit<Result>>[0],
    settle: Settle<Answered<Result>, Failure>
  ): Forget => {
    const keyed = keyedOf(origin)
    if (keyed === undefined) return commits.submit(decide, settle)
    const submitted: Begin<Answered<Result>, Failure> = (settle) => commits.submit(decide, settle)
    return endingBy(keys.begin(keyed), submitted, (exit) => settle(KeyHistory.underKey(exit, keyed.key)))
  }

  const onDefect = (defect: unknown) =>
    void fork(Effect.logError("A handler of an outcome failed with a defect", defect))

  /** The refusal of a command on a model of the cluster. */
  const foreignIn = (command: Command): Rejection | undefined => {
    const operations = operationsOf(command)
    const operation = operations.findIndex(({ model }) => elsewhere.has(model))
    const foreign = operations[operation]
    if (foreign === undefined) return undefined
    return { _tag: "NotFound", model: foreign.model, ...(command._tag === "Transact" ? { operation } : {}) }
  }

  const submitUnsafe: LocalNode["Service"]["submitUnsafe"] = (given, settle) => {
    const { index } = machine.applied
    const rejection = foreignIn(given)
    if (rejection !== undefined)
      return settleNow(settle, Exit.succeed({ index, result: { _tag: "Rejected", rejection } }))
    const command = giveKey(given, index)
    const told = guarded(settle, onDefect)
    let forgetTold: Forget | undefined
    const forget = submitKeyed<CommandResult | Logged>(
      command,
      (at) => Machine.decideNext(machine, command, at),
      (exit) => {
        if (Exit.isFailure(exit)) told(Exit.failCause(exit.cause))
        else forgetTold = keys.told(exit.value, told)
      }
    )
    return () => {
      forget()
      forgetTold?.()
    }
  }

  let erased: Erasures | undefined
  const isErased: LocalPartsRequest["isErased"] = ({ createdIndex, id, model }) =>
    erased !== undefined && erased.erasedAt(model, id) > createdIndex

  const setLocalParts = Effect.fnUntraced(function* ({ origin: given, ...asked }: LocalPartsRequest) {
    const { parts } = asked
    const origin = given === undefined ? undefined : giveKey(given, machine.applied.index)
    const request: LocalPartsRequest = { ...asked, isErased, ...(origin === undefined ? {} : { origin }) }
    const { index, result } = yield* outcomeOf<Answered<Machine.PartsSet | CommandResult | Logged>, Failure>((settle) =>
      submitKeyed(origin ?? {}, (at) => Machine.decideNextParts(machine, request, at), settle)
    )
    if (result._tag === "Set") return { index, result: { ...accepted, parts: result.parts, isReplayed: false } }
    const known = yield* outcomeOf<Answered<CommandResult>, UnknownOutcome>((settle) =>
      keys.told({ index, result }, settle)
    )
    if (known.result._tag === "Rejected") return { index, result: known.result }
    const now = parts.map(({ descriptor: { name: model }, request }) => visible(machine.applied, { model, ...request }))
    return { index, result: { ...accepted, parts: now, isReplayed: true } }
  })

  /** Without a history, nothing older than the snapshot is kept. */
  let erasedThrough = 0
  const erase = Effect.fnUntraced(function* (throughIndex: number, erasures: Erasures) {
    erased = erasures
    // No such part is decided from now on. The batch that is under way may have some.
    yield* feed.applied(machine.speculative?.index ?? 0)
    forgetErased(machine.applied, erasures)
    const index = yield* snapshots.discard
    yield* snapshotFiles.removeBelow(index)
    yield* space.removeAside
    if (Option.isSome(history)) {
      yield* history.value.erase({ throughIndex, blank: (entry) => withoutParts(entry, erasures) })
    }
    erasedThrough = throughIndex
  })

  return LocalNode.of({
    erase,
    erasedThrough: () => (Option.isSome(history) ? history.value.erasedThrough() : erasedThrough),
    submitUnsafe,
    submit: (command) => outcomeOf((settle) => submitUnsafe(command, settle)),
    setLocalParts,
    keyStatus: keys.keyStatus,
    entry: (index) => entryAt(store, index),
    tables: machine.applied,
    feed,
    watch: watch(machine.watchers),
    stopped: commits.stopped
  })
})

const withoutParts = (entry: LogEntry, erasures: Erasures): LogEntry => {
  const transaction = Result.getOrUndefined(decode(entry.payload))
  invariant(transaction !== undefined, `entry ${entry.index} of the node's own log was not read`)
  const left = blankedParts(transaction, erasures)
  return left === transaction ? entry : { ...entry, payload: encode(left) }
}

/** The transaction of an entry; undefined if it is not retained. */
const entryAt = (store: LogStore["Service"], index: number) =>
  store.read({ fromIndex: index, toIndex: index, maxBytes: 1 }).pipe(
    Effect.map(([entry]): Transaction | undefined => {
      const transaction = entry === undefined ? undefined : Result.getOrUndefined(decode(entry.payload))
      invariant(transaction !== undefined, `entry ${index} of the node's own log was not read`)
      return transaction
    }),
    Effect.catchIf(
      (error) => error._tag === "LogFailed" && error.reason === "compacted",
      () => Effect.succeed(undefined)
    )
  )

/** {@link entryAt}. No message names a file, since clients read it. */
const transactionAt = (store: LogStore["Service"], index: number): Effect.Effect<Transaction | undefined, NotDone> =>
  Effect.mapError(
    entryAt(store, index),
    () => new NotDone({ reason: "draining", message: "Cannot tell what was done: the log is not read" })
  )

/** Runs on the log in the `local` folder of the data directory. Fails if that log cannot be opened or replayed, or its records do not fit. */
export const layer = (options: {
  readonly models: ReadonlyArray<Descriptor>
  readonly newId?: () => string
  readonly policy?: Policy
  readonly retention?: Retention.Retention
}): Layer.Layer<LocalNode, LogFailed | LogCorrupt | ModelMismatch, Directory> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const directory = yield* Directory
      const life = AssignedKey.lifeOf(yield* directory.identity, directory.life)
      return Layer.provide(
        Layer.effect(
          LocalNode,
          Effect.tap(make({ ...options, life }), (node) =>
            checkModels({
              tables: node.tables,
              descriptors: options.models.filter(({ mode }) => mode !== "replicated"),
              derived: directory.derived,
              name: "local-models"
            }).pipe(Effect.andThen(activateModels(node, options.models)))
          )
        ),
        Layer.merge(directory.log("local"), directory.localSnapshots)
      )
    })
  )

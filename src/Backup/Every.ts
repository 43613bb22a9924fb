/**
 * Scheduled backups: a state now and then and the entries between, from the node that leads. A new leader goes on from
 * what the store holds. Failures are told and tried again; nothing waits for a store but this.
 */
import { Cause, Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { Backups } from "./Backups.ts"
import { merge, mergedCount } from "./Merging.ts"
import { ObjectStore } from "./ObjectStore.ts"
import { removeUnneeded, ship, shippedOf } from "./Ship.ts"
import { chainsOf, type Entries, goingOnAfter, type Shipped } from "./Shipped.ts"

/** When to back up, and for how long to keep it. */
export interface EveryOptions {
  /** The time between two states, as in `"6 hours"`. A restore starts from one. */
  readonly snapshot: Duration.Input
  /** The time between two shipments of entries, as in `"10 seconds"`: so much may be lost with the whole cluster. */
  readonly log: Duration.Input
  /** A restore can go back to any moment of this time, as in `"30 days"`. Older states go once a newer one is whole. */
  readonly keep: Duration.Input
}

/** The pauses before a failed shipment is tried again: the first and the longest. */
const retryMinMs = 1_000
const retryMaxMs = 60_000

/** The parts of a member that are backed up. */
type Backed = Member["Service"]

interface Times {
  readonly keepMs: number
  readonly logMs: number
  readonly snapshotMs: number
}

/** The times in milliseconds. Others than these would ship without a pause, or never: a programmer's error. */
const timesOf = ({ keep, log, snapshot }: EveryOptions): Times => {
  const times = {
    keepMs: Duration.toMillis(keep),
    logMs: Duration.toMillis(log),
    snapshotMs: Duration.toMillis(snapshot)
  }
  invariant(times.logMs >= 10 && Number.isFinite(times.logMs), "Backup.every: `log` must be at least 10 ms, and finite")
  invariant(
    times.snapshotMs >= times.logMs && Number.isFinite(times.snapshotMs),
    "Backup.every: `snapshot` must be at least as long as `log`, and finite"
  )
  invariant(times.keepMs >= 0, "Backup.every: `keep` must not be negative")
  return times
}

interface Shipping {
  isShipping: boolean
  snapshot: Extract<Shipped, { readonly _tag: "Snapshot" }> | undefined
  index: number
  failure: string | undefined
}

const shownError = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message === "" ? error.name : error.message
}

/** Ships while the member leads, and never ends by itself. */
const lead = Effect.fnUntraced(function* (
  member: Backed,
  store: ObjectStore["Service"],
  state: Shipping,
  { keepMs, logMs, snapshotMs }: Times
) {
  let folder: string | undefined
  let isSwept = false
  let snapshotDueMs = 0
  let logDueMs = 0
  /** The archives of entries of this leader, which go on from each other, since the last one that took the place of many. */
  let small: Array<Entries> = []
  let isMerging = false

  /** What a former leader has shipped: this one goes on from there. */
  const lookUp = Effect.gen(function* () {
    if (folder !== undefined) return folder
    yield* member.until(() => member.clusterId() !== undefined)
    const found = member.clusterId() ?? ""
    if (!isSwept) {
      yield* store
        .sweep(found)
        .pipe(
          Effect.catchTag("StoreFailed", (failed) =>
            Effect.logWarning(`Cannot remove what cut-off backups left in ${store.place}`, failed)
          )
        )
      isSwept = true
    }
    const all = yield* shippedOf(store, found)
    const [newest] = chainsOf(all)
    state.snapshot = newest?.snapshot
    state.index = goingOnAfter(all)
    const ageMs = newest === undefined ? snapshotMs : (yield* Clock.currentTimeMillis) - newest.snapshot.timeMs
    snapshotDueMs = (yield* monotonicMs) + Math.max(0, snapshotMs - ageMs)
    logDueMs = yield* monotonicMs
    folder = found
    return found
  })

  /** The entries go on where they were, so that a restore reaches each moment before the new state too. */
  const shipState = Effect.fnUntraced(function* (folder: string, { isGap }: { readonly isGap: boolean }) {
    const shipped = yield* ship(member, store)
    if (isGap || state.snapshot === undefined) state.index = shipped.index
    if (isGap) small = []
    if (shipped._tag === "Snapshot") state.snapshot = shipped
    snapshotDueMs = (yield* monotonicMs) + snapshotMs
    logDueMs = yield* monotonicMs
    yield* removeUnneeded(store, folder, keepMs)
  })

  /** Goes on beside the shipments, which would wait long for so many entries. The archives stay if it fails. */
  const mergeSmall = Effect.fnUntraced(function* (folder: string) {
    if (small.length < mergedCount || isMerging) return
    const archives = small
    small = []
    isMerging = true
    yield* merge(member, store, folder, archives).pipe(
      Effect.catchCauseIf(
        (cause) => !Cause.hasInterruptsOnly(cause),
        (cause) =>
          Effect.logWarning(`Cannot put ${archives.length} archives in ${store.place} into one: they stay`, cause)
      ),
      Effect.ensuring(
        Effect.sync(() => {
          isMerging = false
        })
      ),
      Effect.forkScoped
    )
  })

  const shipEntries = (folder: string) =>
    ship(member, store, { entriesAfter: state.index }).pipe(
      Effect.tap((shipped) => {
        state.index = shipped.index
        if (shipped._tag === "Entries") small.push(shipped)
        return mergeSmall(folder)
      }),
      Effect.catchTag("HistoryGone", () =>
        Effect.andThen(
          Effect.logWarning(
            `Entries after ${state.index} are not here any more: a state goes to ${store.place} instead`
          ),
          shipState(folder, { isGap: true })
        )
      )
    )

  const step = Effect.gen(function* () {
    const folder = yield* lookUp
    const nowMs = yield* monotonicMs
    const appliedIndex = member.feed.appliedIndex()
    const { snapshot } = state
    const isStateDue = snapshot === undefined || (nowMs >= snapshotDueMs && appliedIndex > snapshot.index)
    if (isStateDue) yield* shipState(folder, { isGap: false })
    else if (nowMs >= logDueMs && appliedIndex > state.index) {
      yield* shipEntries(folder)
      logDueMs = (yield* monotonicMs) + logMs
    }
    state.failure = undefined
    const restMs = [logDueMs, snapshotDueMs].map((dueMs) => dueMs - nowMs)
    // What is due already waits for an entry to ship.
    return Math.min(logMs, ...restMs.filter((leftMs) => leftMs > 0))
  })

  const told = Effect.catchCause(step, (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
    // A defect, of a store too, must not end all later backups.
    const failure = Cause.squash(cause)
    state.failure = shownError(failure)
    return Effect.andThen(
      Effect.logError(`A backup to ${store.place} failed, trying again: ${state.failure}`),
      Effect.fail(failure)
    )
  })
  const retried = Effect.retry(told, Schedule.min([Schedule.exponential(retryMinMs), Schedule.spaced(retryMaxMs)]))
  return yield* Effect.forever(Effect.flatMap(retried, (waitMs) => Effect.sleep(waitMs)))
}, Effect.scoped)

const isLeading = (member: Backed): boolean => member.leader() === member.self.nodeId

/** Shows a scheduled backup, and runs it, until the scope closes. */
const run = Effect.fnUntraced(function* (times: Times) {
  const member = yield* Member
  const store = yield* ObjectStore
  const state: Shipping = { isShipping: false, snapshot: undefined, index: 0, failure: undefined }
  yield* (yield* Backups).register(() => ({
    place: store.place,
    isShipping: state.isShipping,
    snapshot: state.snapshot,
    index: state.index,
    lagCount: state.isShipping ? member.feed.countAfter(state.index) : 0,
    failure: state.failure
  }))
  const term = Effect.gen(function* () {
    yield* member.until(() => isLeading(member))
    Object.assign(state, { isShipping: true, failure: undefined })
    yield* Effect.raceFirst(
      lead(member, store, state, times),
      member.until(() => !isLeading(member))
    )
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        state.isShipping = false
      })
    )
  )
  yield* Effect.forkScoped(Effect.forever(term))
})

/**
 * Backs a cluster up to a store, from the node that leads: a state every `snapshot`, the entries every `log`, so that a
 * restore can go back to any moment of the last `keep`. Give it to every node. `lithair verify`, `inspect` and `restore`
 * take the store; docs/backup.md.
 *
 * @example
 * ```ts
 * import { Layer, Schema } from "effect"
 * import { Backup, Lithair, Model } from "lithair"
 * import { run } from "lithair/node"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * const backups = Backup.every(
 *   { snapshot: "6 hours", log: "10 seconds", keep: "30 days" },
 *   Backup.layerDirectory({ directory: "/mnt/backups/shop" })
 * )
 *
 * run(Layer.provideMerge(backups, Lithair.layerHttp({ models: [Product] })))
 * ```
 */
export const every = <E, R>(
  options: EveryOptions,
  store: Layer.Layer<ObjectStore, E, R>
): Layer.Layer<never, E, R | Member | Backups> => Layer.effectDiscard(run(timesOf(options))).pipe(Layer.provide(store))

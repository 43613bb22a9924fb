/**
 * Runs the projections of one node beside its member, and reads them. Reads have the same consistency as reads of
 * records, and wait for a projection that lags. Memory.ts and SqliteRun.ts keep each one up to date.
 */
import { Effect, Layer, type Scope } from "effect"
import { Member } from "../Cluster/Member.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { Directory } from "../EventStore/Directory.ts"
import { invariant } from "../Invariant.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import * as Freshness from "../Repository/Freshness.ts"
import type { Read } from "../Repository/Records.ts"
import type { Folded } from "./Definition.ts"
import type { SqliteUnavailable } from "./Failure.ts"
import { wholeKey } from "./Fold.ts"
import type { Following } from "./Following.ts"
import { nameOfKey } from "./Key.ts"
import * as Memory from "./Memory.ts"
import { type Projection, type ProjectionReadFailure, Projections, type StatesPage } from "./Projections.ts"
import * as Refolding from "./Refolding.ts"
import type { Sqlite } from "./Sqlite.ts"
import * as SqliteRun from "./SqliteRun.ts"
import * as SqliteThread from "./SqliteThread.ts"

/** How long a read waits for a projection that lags behind the tables. */
const waitMs = 5_000

/** The parts of the member that projections need. */
export type Followable = Pick<
  Member["Service"],
  "erasing" | "feed" | "isStopping" | "isRemoved" | "node" | "readIndexUnsafe" | "staleMs" | "until"
>

/** Runs projections until the scope closes. */
export const make = Effect.fnUntraced(function* (options: {
  readonly projections: ReadonlyArray<Projection>
  readonly files: DerivedFiles
  readonly member: Followable
}) {
  const { files, member, projections } = options
  const { feed } = member
  if (projections.some(({ _tag }) => _tag === "Sqlite")) yield* SqliteThread.check()
  const { freshen } = yield* Freshness.make(member)
  const running = new Map<string, { readonly projection: Projection; readonly run: Following }>()
  const names = projections.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) < at)
  invariant(twice === undefined, `Two projections are named "${twice}"`)
  const refolded = (projection: Projection): Refolding.Refolded => {
    const { models, name } = projection
    const run: Effect.Effect<Following, never, Scope.Scope> =
      projection._tag === "Sqlite"
        ? SqliteRun.run(projection, { files, feed })
        : Memory.run(projection, { files, feed })
    return {
      name,
      models: Object.keys(models),
      start: Effect.map(run, (run) => void running.set(name, { projection, run })),
      remove: projection._tag === "Sqlite" ? SqliteRun.remove(projection, files) : Memory.remove(projection, files)
    }
  }
  member.erasing.join(yield* Refolding.make({ projections: projections.map(refolded), files, feed }))

  const runOf = (projection: Projection) => {
    const found = running.get(projection.name)
    invariant(
      found?.projection === projection,
      `This node does not run the projection "${projection.name}": add it to the application`
    )
    return found.run
  }
  /** Runs a projection by its kind. */
  const foldedOf = <S>(projection: Folded<S>) => runOf(projection) as Memory.Running<S>
  const tablesOf = (projection: Sqlite) => runOf(projection) as SqliteRun.Running

  /** Waits until a projection is new enough: at this index at least. */
  const wait = Effect.fnUntraced(function* (
    following: Following,
    consistency: Freshness.Consistency
  ): Effect.fn.Return<{ readonly freshness: Freshness.Freshness; readonly index: number }, ProjectionReadFailure> {
    const beganMs = yield* monotonicMs
    const freshness = yield* freshen(consistency)
    const appliedIndex = feed.appliedIndex()
    // A session also waits until the projection is as new as before the node started, whatever index it asks for.
    const isStarting = member.staleMs(following.index(), beganMs) === undefined
    const index = isStarting && consistency._tag === "Session" ? appliedIndex : neededIndex(consistency, appliedIndex)
    yield* Effect.timeoutOrElse(following.until(index), {
      duration: waitMs,
      orElse: () =>
        Effect.fail(
          new Freshness.NotCaughtUp({
            message: `The projection lags behind this node's tables: it is at ${following.index()} after ${waitMs} ms. Try again`
          })
        )
    })
    if (consistency._tag !== "Local") return { freshness, index }
    // The confirmed age is the age of the tables. A projection that lags may be older.
    const staleMs = member.staleMs(following.index(), beganMs)
    if (staleMs === undefined) return yield* Freshness.starting
    return { freshness: { staleMs }, index }
  })

  const read = <S, A>(
    run: Memory.Running<S>,
    consistency: Freshness.Consistency,
    value: () => A
  ): Effect.Effect<Read<A>, ProjectionReadFailure> =>
    Effect.map(wait(run, consistency), ({ freshness }) => ({ ...freshness, value: value(), logIndex: run.index() }))

  return Projections.of({
    get: (projection, consistency = Freshness.linearizable) => {
      const run = foldedOf(projection)
      return read(run, consistency, () => {
        const state = run.states.get(wholeKey)
        return state === undefined ? projection.initial : state
      })
    },
    getKey: (projection, key, consistency = Freshness.linearizable) => {
      const run = foldedOf(projection)
      return read(run, consistency, () => run.states.get(nameOfKey(key)))
    },
    page: (projection, { after, limit }, consistency = Freshness.linearizable) => {
      const run = foldedOf(projection)
      return read(run, consistency, () => pageOf(run, after === undefined ? undefined : nameOfKey(after), limit))
    },
    query: Effect.fnUntraced(function* (projection, statement, consistency = Freshness.linearizable) {
      const run = tablesOf(projection)
      const needed = yield* wait(run, consistency)
      const { index, rows } = yield* run.query(statement)
      if (index < needed.index) {
        const message = `The projection's file was damaged, and the node is rebuilding it: it is at ${index}. Try again later`
        return yield* new Freshness.NotCaughtUp({ message })
      }
      return { ...needed.freshness, value: rows, logIndex: index }
    }),
    status: () =>
      [...running.values()].map(({ projection: { name, version }, run }) => ({
        name,
        version,
        index: run.index(),
        lagCount: feed.countAfter(run.index()),
        failure: run.failure()
      }))
  })
})

/** Runs the projections of the node's member, and saves them in its data directory. */
export const layer = (
  projections: ReadonlyArray<Projection>
): Layer.Layer<Projections, SqliteUnavailable, Directory | Member> =>
  Layer.effect(
    Projections,
    Effect.gen(function* () {
      const { derived } = yield* Directory
      return yield* make({ projections, files: derived, member: yield* Member })
    })
  )

/** The index that a projection must reach once the tables are new enough. */
const neededIndex = (consistency: Freshness.Consistency, appliedIndex: number): number => {
  switch (consistency._tag) {
    case "Linearizable":
      return appliedIndex
    case "Session":
      return consistency.minIndex
    case "Local":
      return consistency.staleMaxMs === undefined ? 0 : appliedIndex
  }
}

const pageOf = <S>({ states }: Memory.Running<S>, after: string | undefined, limit: number): StatesPage<S> => {
  const items: Array<StatesPage<S>["items"][number]> = []
  for (let found = states.nextHigherPair(after); found !== undefined; found = states.nextHigherPair(found[0])) {
    if (items.length === limit) return { items, hasMore: true }
    items.push({ key: found[0], state: found[1] })
  }
  return { items, hasMore: false }
}

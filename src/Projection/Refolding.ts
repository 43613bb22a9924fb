/**
 * Folds projections again from a history without erased records, as if those had never been. What was folded before goes
 * first, with its files. A projection that cannot be folded again holds the erasure up: the node lacks the history.
 */
import { Effect, Exit, Scope } from "effect"
import type { ErasingPart } from "../Cluster/Erasing.ts"
import type { Feed } from "../Cluster/Feed.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { LogFailed } from "../EventStore/LogStore.ts"
import type { Erasures } from "../Machine/Erasure.ts"

/** The file that says through which erasure the projections of a node are folded. */
const NOTE = "erased-through"

/** A projection as it is folded again. */
export interface Refolded {
  readonly name: string
  /** The models that it follows. */
  readonly models: ReadonlyArray<string>
  /** Starts it, in a scope that ends it. */
  readonly start: Effect.Effect<void, never, Scope.Scope>
  /** Removes what it keeps on disk. It does not run. */
  readonly remove: Effect.Effect<void, LogFailed>
}

const lacking = (name: string, oldestIndex: number) =>
  new LogFailed({
    message: `The projection ${name} cannot be folded again without what was erased: this node holds the history from ${oldestIndex} on`
  })

/** Starts all projections, and folds them again after erasures. */
export const make = Effect.fnUntraced(function* (options: {
  readonly projections: ReadonlyArray<Refolded>
  readonly files: DerivedFiles
  readonly feed: Pick<Feed, "entryAfter" | "oldestIndex">
}): Effect.fn.Return<ErasingPart, never, Scope.Scope> {
  const { feed, files, projections } = options
  const parent = yield* Effect.scope
  const scopes = new Map<string, Scope.Closeable>()
  const start = Effect.fnUntraced(function* (projection: Refolded) {
    const scope = yield* Scope.fork(parent)
    scopes.set(projection.name, scope)
    yield* Scope.provide(projection.start, scope)
  })
  // Without the note the projections are folded again, which does no harm.
  const noted = yield* Effect.option(files.read(NOTE))
  const text = noted._tag === "Some" && noted.value !== undefined ? new TextDecoder().decode(noted.value) : "0"
  let erasedThrough = /^\d+$/.test(text) ? Number(text) : 0
  yield* Effect.forEach(projections, start, { discard: true })

  const isMeant = ({ models }: Refolded, erasures: Erasures): boolean =>
    models.some((model) => [...erasures.erasedOf(model)].some(([, index]) => index > erasedThrough))

  const again = Effect.fnUntraced(function* (projection: Refolded) {
    const scope = scopes.get(projection.name)
    if (scope !== undefined) yield* Scope.close(scope, Exit.void)
    yield* Effect.ensuring(projection.remove, start(projection))
  }, Effect.uninterruptible)

  return {
    erase: Effect.fnUntraced(function* (throughIndex, erasures) {
      const meant = projections.filter((projection) => isMeant(projection, erasures))
      const [first] = meant
      const oldestIndex = feed.oldestIndex()
      // The first entry of a log that a restore began has a greater index than 1.
      if (first !== undefined && oldestIndex > feed.entryAfter(0)) return yield* lacking(first.name, oldestIndex)
      yield* Effect.forEach(meant, again, { discard: true })
      yield* files.write(NOTE, [new TextEncoder().encode(String(throughIndex))])
      erasedThrough = throughIndex
    }),
    // Without projections there is nothing to fold again.
    erasedThrough: () => (projections.length === 0 ? Number.POSITIVE_INFINITY : erasedThrough)
  }
})

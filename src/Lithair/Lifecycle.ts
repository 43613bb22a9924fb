/**
 * How a node ends, whatever it is composed with. Told to stop, it drains while servers and workers go on; what stops it
 * fails the program. A node asks for this service, and only `launch`, `supervise` and `layerTest` provide it: a program
 * that would not drain, or would not hear of a failed disk, does not compile.
 */
import { Context, Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { HttpRouter } from "effect/http"
import type { MemberFailure } from "../Cluster/Member.ts"
import { routerConfig } from "../Http/Mount.ts"

/** Why a node ended by itself: its disk, its files, or a cluster that refuses it. */
export type NodeFailure = MemberFailure

/** One node, as its lifecycle sees it. */
export interface Supervised {
  /** Finishes what is under way and hands leadership over. Runs once, however often it is asked for. */
  readonly drain: Effect.Effect<void>
  /** Fails with what stopped the node. */
  readonly stopped: Effect.Effect<never, NodeFailure>
}

/** Takes part in the end of every node that registers. */
export class Lifecycle extends Context.Service<
  Lifecycle,
  {
    /** Registers a node for as long as the scope is open. */
    readonly register: (node: Supervised) => Effect.Effect<void, never, Scope.Scope>
  }
>()("lithair/Lifecycle") {}

const make = (failed: Deferred.Deferred<never, NodeFailure>) => {
  const nodes = new Set<Supervised>()
  const lifecycle = Lifecycle.of({
    register: (node) =>
      Effect.gen(function* () {
        // If the program ends by itself, the node drains with its scope. What depended on the node is closed by then.
        yield* Effect.acquireRelease(
          Effect.sync(() => nodes.add(node)),
          () =>
            Effect.ensuring(
              node.drain,
              Effect.sync(() => nodes.delete(node))
            )
        )
        yield* Effect.forkScoped(Effect.catchCause(node.stopped, (cause) => Deferred.failCause(failed, cause)))
      })
  })
  const drainAll = Effect.suspend(() =>
    Effect.forEach([...nodes], ({ drain }) => drain, { concurrency: "unbounded", discard: true })
  )
  return { lifecycle, drainAll }
}

/**
 * Runs a program that has nodes in it: a worker, a script, a server of one's own. Interrupted, it drains the nodes
 * first, while the program goes on, and only then interrupts the program. It fails with what stopped a node.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Lithair, Model, Repository } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * const program = Effect.gen(function* () {
 *   const products = yield* Repository.make(Product)
 *   return yield* products.create({ name: "Anvil" })
 * }).pipe(Effect.provide(Lithair.layer({ models: [Product] })), Effect.provide(Lithair.layerMemory), Lithair.supervise)
 *
 * const { row } = await Effect.runPromise(program)
 * console.assert(row.name === "Anvil")
 * ```
 */
export const supervise = <A, E, R>(
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, E | NodeFailure, Exclude<R, Lifecycle>> =>
  Effect.suspend(() => {
    const failed = Deferred.makeUnsafe<never, NodeFailure>()
    const { drainAll, lifecycle } = make(failed)
    const running = program.pipe(
      Effect.provideService(Lifecycle, lifecycle),
      // Routers of the program take ids and keys as long as the derived API does.
      Effect.provideService(HttpRouter.RouterConfig, routerConfig)
    )
    return Effect.acquireUseRelease(
      Effect.forkDetach(running),
      (fiber) => Effect.raceFirst(Fiber.join(fiber), Deferred.await(failed)),
      (fiber) => Effect.andThen(drainAll, Fiber.interrupt(fiber))
    )
  }) as Effect.Effect<A, E | NodeFailure, Exclude<R, Lifecycle>>

/** Runs an application that is a layer until it is interrupted, or a node in it cannot go on. See {@link supervise}. */
export const launch = <A, E, R>(
  application: Layer.Layer<A, E, R>
): Effect.Effect<never, E | NodeFailure, Exclude<R, Lifecycle>> => supervise(Layer.launch(application))

/** For tests: the node drains when the test's scope closes, and a failure that stops it is logged. */
export const layerTest: Layer.Layer<Lifecycle> = Layer.effect(
  Lifecycle,
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, NodeFailure>()
    const log = Effect.catchCause(Deferred.await(failed), (cause) => Effect.logFatal("A node cannot go on", cause))
    yield* Effect.forkScoped(log)
    return make(failed).lifecycle
  })
)

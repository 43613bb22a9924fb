/**
 * How a node ends, in every composition. Told to stop, it drains while servers and workers go on. A failure of the node
 * fails the program. A node needs this service, and only `launch`, `supervise` and `layerTest` provide it. So a program
 * that would not drain, or would miss a failed disk, does not compile.
 */
import { Context, Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { HttpRouter } from "effect/http"
import type { MemberFailure } from "../Cluster/Member.ts"
import { routerConfig } from "../Http/Mount.ts"

/** Why a node ended by itself: its disk or its files failed, or the cluster refused or removed it. */
export type NodeFailure = MemberFailure

/** A node that has registered with the lifecycle. */
export interface Supervised {
  /** Finishes requests under way and hands leadership over. Runs once, even if called several times. */
  readonly drain: Effect.Effect<void>
  /** Fails with the reason when the node stops by itself. */
  readonly stopped: Effect.Effect<never, NodeFailure>
}

/** Drains the nodes of a program when it stops, and fails the program when a node fails. */
export class Lifecycle extends Context.Service<
  Lifecycle,
  {
    /** Registers a node until the scope closes. */
    readonly register: (node: Supervised) => Effect.Effect<void, never, Scope.Scope>
    /** Runs an effect when the program is told to stop, before its nodes drain, until the scope closes. */
    readonly beforeDrain: (effect: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
  }
>()("lithair/Lifecycle") {}

const make = (failed: Deferred.Deferred<never, NodeFailure>) => {
  const nodes = new Set<Supervised>()
  const earlier = new Set<Effect.Effect<void>>()
  const lifecycle = Lifecycle.of({
    beforeDrain: (effect) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => earlier.add(effect)),
          () => Effect.sync(() => earlier.delete(effect))
        )
      ),
    register: (node) =>
      Effect.gen(function* () {
        // If the program ends by itself, the node drains with its scope. Everything that uses the node is closed by then.
        yield* Effect.acquireRelease(
          Effect.sync(() => nodes.add(node)),
          () =>
            Effect.ensuring(
              node.drain,
              Effect.sync(() => nodes.delete(node))
            )
        )
        yield* Effect.forkScoped(
          Effect.catchCause(node.stopped, (cause) =>
            Effect.andThen(Effect.logFatal("This node cannot go on", cause), Deferred.failCause(failed, cause))
          )
        )
      })
  })
  const all = (effects: Iterable<Effect.Effect<void>>) =>
    Effect.forEach([...effects], (effect) => effect, { concurrency: "unbounded", discard: true })
  const drainAll = Effect.suspend(() => all(earlier)).pipe(
    Effect.andThen(Effect.suspend(() => all(Array.from(nodes, ({ drain }) => drain))))
  )
  return { lifecycle, drainAll }
}

/**
 * Runs a program that contains nodes: a worker, a script, your own server. When it is interrupted, it drains the nodes
 * while the program goes on, and then interrupts the program. Fails with `NodeFailure` if a node stops by itself.
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
      // Routers of the program must take ids and keys as long as the derived API takes.
      Effect.provideService(HttpRouter.RouterConfig, routerConfig)
    )
    return Effect.acquireUseRelease(
      Effect.forkDetach(running),
      (fiber) => Effect.raceFirst(Fiber.join(fiber), Deferred.await(failed)),
      (fiber) => Effect.andThen(drainAll, Fiber.interrupt(fiber))
    )
  }) as Effect.Effect<A, E | NodeFailure, Exclude<R, Lifecycle>>

/** Runs a layer until it is interrupted or a node in it fails. See {@link supervise}. */
export const launch = <A, E, R>(
  application: Layer.Layer<A, E, R>
): Effect.Effect<never, E | NodeFailure, Exclude<R, Lifecycle>> => supervise(Layer.launch(application))

/** The lifecycle for tests: the node drains when the test's scope closes, and a failure of the node is logged. */
export const layerTest: Layer.Layer<Lifecycle> = Layer.effect(
  Lifecycle,
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, NodeFailure>()
    return make(failed).lifecycle
  })
)

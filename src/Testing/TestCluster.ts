/**
 * A whole cluster inside one test: a user's models on nodes with disks and a network in memory, in virtual time, from
 * one seed. The nodes have the same services as real ones. Not the simulator, which runs the pure core alone.
 */
import {
  Context,
  Deferred,
  type Duration,
  Effect,
  type FileSystem,
  Layer,
  type Path,
  Schema,
  type Scope,
  Semaphore
} from "effect"
import { type Etag, type HttpPlatform, HttpRouter, HttpServer } from "effect/http"
import type { Any as AnyCommand } from "../Command/Declaration.ts"
import type { HandlerOf } from "../Command/Handler.ts"
import { contentsOf, type MemoryFile } from "../EventStore/MemoryDirectory.ts"
import { invariant } from "../Invariant.ts"
import { type AnyProjection, type Application, layerOwn, type NeededBy, type NodeServices } from "../Lithair/Node.ts"
import { layerRoutes } from "../Lithair/Serve.ts"
import type { Described } from "../Model/Class.ts"
import type { Dropped } from "../Model/Dropped.ts"
import type { Projection } from "../Projection/Projections.ts"
import type { SqlNeeds } from "../Projection/Sql.ts"
import * as MemoryNetwork from "../Raft/peers/MemoryNetwork.ts"
import type { PeerListener } from "../Raft/peers/PeerListener.ts"
import * as Agreement from "./TestClusterAgreement.ts"
import * as Node from "./TestClusterNode.ts"
import { seeded } from "./TestClusterRandom.ts"
import * as Time from "./TestClusterTime.ts"
import { makeSky, type Weather } from "./TestClusterWeather.ts"

/** Every test begins at 1 January 2030, 00:00 UTC. */
const epochMs = 1_893_456_000_000
/** How long, in virtual time, a cluster may take to agree. */
const settleTimeoutMs = 10_000
const settlePollMs = 10
const sizeMax = 9

/** What handlers of routes may require of their node, request by request. */
type Required<Service> = Service extends unknown ? HttpRouter.Request<"Requires", Service> : never

/** Routes of an application, over the services of its node: the layer that `HttpRouter.serve` takes. */
export type TestRoutes = Layer.Layer<
  never,
  unknown,
  | HttpRouter.HttpRouter
  | HttpRouter.Request<"Error", unknown>
  | Required<NodeServices>
  | NodeServices
  | PeerListener
  | HttpServer.HttpServer
  | Etag.Generator
  | HttpPlatform.HttpPlatform
  | FileSystem.FileSystem
  | Path.Path
>

/** One release of an application, with its routes. */
export interface Release<R = never, C extends AnyCommand = never, P extends AnyProjection = Projection>
  extends Application<R, C, Described | Dropped, P> {
  /** The routes of each node; all derived routes by default. */
  readonly routes?: TestRoutes
  /** Handlers of this release, if they differ from those that the test provides. */
  readonly handlers?: Layer.Layer<HandlerOf<C>>
}

/** Options of a cluster in a test: the application, the number of nodes, the seed. */
export interface TestClusterOptions<R = never, C extends AnyCommand = never, P extends AnyProjection = Projection>
  extends Release<R, C, P> {
  /** The number of nodes, which are named `n1`, `n2` and so on; 3 by default. */
  readonly size?: number
  /** The seed of all random choices: the first leader, delays of messages, losses in a crash; 0 by default. */
  readonly seed?: number | string
  /** Other releases of the application, by their names, for {@link TestCluster.upgrade}. */
  readonly releases?: { readonly [name: string]: Release<R, C> }
}

/** The running nodes that reach each other are not a majority, or did not agree within 10 s of virtual time. */
export class NotSettled extends Schema.TaggedError<NotSettled>()("NotSettled", { message: Schema.String }) {}

/**
 * A cluster for one test.
 *
 * Time is virtual, and stands still between its uses: it passes while a program runs {@link TestCluster.on} a node, and
 * while {@link TestCluster.advance}, {@link TestCluster.settle} or {@link TestCluster.leader} wait. A program of the same
 * test with the same seed does the same every time.
 */
export class TestCluster extends Context.Service<
  TestCluster,
  {
    /** The ids of all nodes, running or not. */
    readonly nodes: ReadonlyArray<string>
    /**
     * Runs a program on a node, with that node's services: its records, its HTTP API through `HttpClient`, its member.
     * Its clock is the cluster's, so that it may sleep, and measure. Fails with `NodeDown` when the node is not running,
     * or crashes meanwhile.
     */
    readonly on: <A, E, R>(
      nodeId: string,
      program: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | Node.NodeDown, Exclude<R, Node.TestNodeServices>>
    /** Waits until a node leads a majority, and returns its id. */
    readonly leader: Effect.Effect<string, NotSettled>
    /** Waits until a node leads a majority, and all running nodes that it reaches have applied its whole log and serve requests. */
    readonly settle: Effect.Effect<void, NotSettled>
    /**
     * Splits the network: no message passes between nodes of different parts. Unnamed nodes form one more part. Replaces an
     * earlier partition.
     */
    readonly partition: (...parts: ReadonlyArray<ReadonlyArray<string>>) => Effect.Effect<void>
    /** Every node reaches every other again. */
    readonly heal: Effect.Effect<void>
    /**
     * Ends nodes, all at the same moment, like a loss of power: a disk keeps what was synced, and perhaps the beginning of
     * a write under way. Does nothing to a node that is not running.
     */
    readonly crash: (...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /** Starts nodes over their disks; those that are running crash first, all at the same moment. */
    readonly restart: (...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /** Starts nodes over their disks with another release of the application; those that are running crash first. */
    readonly upgrade: (release: string, ...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /** Sets what happens to messages from now on. The default is fair weather, `{}`. */
    readonly weather: (weather: Weather) => Effect.Effect<void>
    /** Pauses nodes as SIGSTOP does: time goes on, and their messages wait until they are resumed. */
    readonly pause: (...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /** Resumes paused nodes. */
    readonly resume: (...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /**
     * Makes each sync of a node's disk slow, or fails the next sync: then the node ends, as its process would, and its disk
     * keeps as much as after a crash. A restart mends a failed disk, not a slow one.
     */
    readonly disk: (nodeId: string, how: { readonly delayMs: number } | "fails") => Effect.Effect<void>
    /**
     * All that a node's disk holds, by name: each entry of its logs, each snapshot unpacked, each other file as it is. A
     * test finds out by it whether an erased record is gone. The node may be running or not.
     */
    readonly files: (nodeId: string) => Effect.Effect<ReadonlyArray<MemoryFile>>
    /**
     * Ends nodes and gives them empty disks and other identities, as if their machines were lost and replaced. Remove each
     * from the cluster before; after `restart` it waits until it is added as a learner.
     */
    readonly wipe: (...nodeIds: ReadonlyArray<string>) => Effect.Effect<void>
    /** Lets virtual time pass. A second of it takes some milliseconds. */
    readonly advance: (duration: Duration.Input) => Effect.Effect<void>
  }
>()("lithair/Testing/TestCluster") {
  /**
   * A cluster that has formed and has a leader; it ends with its scope. A node that stops by itself, by a broken
   * invariant, fails the test as a defect.
   *
   * @example
   * ```ts
   * import { Effect, Schema } from "effect"
   * import { HttpClient, HttpClientRequest } from "effect/http"
   * import { Model } from "lithair"
   * import { TestCluster } from "lithair/testing"
   *
   * class Product extends Model.Class<Product>("Product")({
   *   id: Model.id(Schema.String.check(Schema.isUUID())),
   *   name: Schema.NonEmptyString.pipe(Model.replicate)
   * }) {}
   *
   * const create = HttpClientRequest.post("/api/products").pipe(
   *   HttpClientRequest.bodyJsonUnsafe({ name: "Anvil" }),
   *   HttpClient.execute
   * )
   * const program = Effect.gen(function* () {
   *   const cluster = yield* TestCluster
   *   yield* cluster.partition(["n1"])
   *   const refused = yield* cluster.on("n1", create)
   *   console.assert(refused.status === 503)
   * }).pipe(Effect.provide(TestCluster.layer({ models: [Product] })))
   *
   * await Effect.runPromise(program)
   * ```
   */
  static readonly layer = <R = never, C extends AnyCommand = never, P extends AnyProjection = Projection>(
    options: TestClusterOptions<R, C, P>
  ): Layer.Layer<TestCluster, never, NeededBy<R | SqlNeeds<P>, C>> =>
    Layer.effect(TestCluster, make(options as TestClusterOptions<R | SqlNeeds<P>, C, AnyProjection>))
}

const make = Effect.fnUntraced(function* <R, C extends AnyCommand>({
  seed = 0,
  size = 3,
  releases = {},
  ...first
}: TestClusterOptions<R, C, AnyProjection>): Effect.fn.Return<
  TestCluster["Service"],
  never,
  NeededBy<R, C> | Scope.Scope
> {
  invariant(Number.isInteger(size) && size >= 1 && size <= sizeMax, `a cluster has 1 to ${sizeMax} nodes, not ${size}`)
  const time = yield* Time.make(epochMs)
  const sky = makeSky(yield* seeded(`${seed}/network`))
  const network = MemoryNetwork.makeMemoryNetwork(sky)
  const nodeIds = Array.from({ length: size }, (_, at) => `n${at + 1}`)
  const surroundings: Node.Surroundings = {
    time,
    network,
    nodeIds,
    needed: yield* Effect.context<NeededBy<R, C>>(),
    // The compiler does not see that `needed` provides all of the generic requirements.
    layer: (own, release) => {
      const chosen = release === undefined ? first : releases[release]
      invariant(chosen !== undefined, `there is no release ${release}: they are ${Object.keys(releases).join(", ")}`)
      const { handlers, routes = layerRoutes(), ...application } = chosen
      const node = layerOwn<R, C>(application, own)
      return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(HttpServer.layerServices),
        Layer.provideMerge(handlers === undefined ? node : Layer.provide(node, handlers))
      ) as Node.NodeLayer
    },
    broken: yield* Deferred.make<never>()
  }
  const nodes = yield* Effect.forEach(nodeIds, (id) => Node.make(id, { seed: String(seed), time }))

  const nodeOf = (nodeId: string): Node.TestNode => {
    const node = nodes.find((each) => each.nodeId === nodeId)
    invariant(node !== undefined, `there is no node ${nodeId}: they are ${nodeIds.join(", ")}`)
    return node
  }

  /** In virtual time, unless a node stops by itself. */
  const waiting = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    time.run(Effect.raceFirst(effect, Deferred.await(surroundings.broken)))

  const until = <A>(find: () => A | undefined): Effect.Effect<A, NotSettled> =>
    Effect.gen(function* () {
      for (let waitedMs = 0; waitedMs < settleTimeoutMs; waitedMs += settlePollMs) {
        const found = find()
        if (found !== undefined) return found
        yield* Effect.sleep(settlePollMs)
      }
      const message = `No agreement within ${settleTimeoutMs} ms: ${Agreement.explain(nodes)}`
      return yield* new NotSettled({ message })
    }).pipe(waiting)

  const partition = (...parts: ReadonlyArray<ReadonlyArray<string>>) =>
    Effect.sync(() => {
      const named = parts.flat().map((id) => nodeOf(id).nodeId)
      invariant(new Set(named).size === named.length, `a node is in one part of the network: ${named.join(", ")}`)
      const partOf = (id: string) => parts.findIndex((part) => part.includes(id))
      for (const [at, one] of nodeIds.entries()) {
        for (const other of nodeIds.slice(at + 1)) {
          if (partOf(one) === partOf(other)) MemoryNetwork.heal(network, [one, other])
          else MemoryNetwork.cut(network, [one, other])
        }
      }
    })

  /** A node does not crash half started. */
  const oneAtATime = yield* Semaphore.make(1)
  const crash = (...ids: ReadonlyArray<string>) => Effect.suspend(() => Node.crash(ids.map(nodeOf), surroundings))
  const start = (...ids: ReadonlyArray<string>) =>
    Effect.forEach(ids, (id) => Node.start(nodeOf(id), surroundings), { discard: true })
  yield* Effect.addFinalizer(() => oneAtATime.withPermits(1)(crash(...nodeIds)))
  yield* start(...nodeIds)

  const agreement = () => Agreement.find(nodes, network)
  const settle = Effect.asVoid(until(() => (agreement()?.isComplete === true ? true : undefined)))
  yield* Effect.orDie(settle)

  return TestCluster.of({
    nodes: nodeIds,
    on: (nodeId, program) => Effect.suspend(() => Node.run(nodeOf(nodeId), program, surroundings)),
    leader: until(() => agreement()?.leaderId),
    settle,
    partition,
    heal: partition(),
    crash: (...ids) => oneAtATime.withPermits(1)(crash(...ids)),
    upgrade: (release, ...ids) =>
      oneAtATime.withPermits(1)(
        Effect.gen(function* () {
          yield* crash(...ids)
          for (const id of ids) nodeOf(id).release = release
          yield* start(...ids)
        })
      ),
    files: (id) => Effect.suspend(() => contentsOf(nodeOf(id).disk)),
    wipe: (...ids) =>
      oneAtATime.withPermits(1)(
        Effect.andThen(
          crash(...ids),
          Effect.forEach(ids, (id) => Node.wipe(nodeOf(id)), { discard: true })
        )
      ),
    restart: (...ids) => oneAtATime.withPermits(1)(Effect.andThen(crash(...ids), start(...ids))),
    weather: (weather) =>
      Effect.sync(() => {
        sky.weather = weather
      }),
    pause: (...ids) => Effect.forEach(ids.map(nodeOf), ({ process }) => Effect.sync(process.pause), { discard: true }),
    resume: (...ids) =>
      Effect.forEach(ids.map(nodeOf), ({ process }) => Effect.sync(process.resume), { discard: true }),
    disk: (id, how) =>
      Effect.sync(() => {
        const { disk } = nodeOf(id)
        if (how === "fails") disk.failsNext = true
        else disk.delayMs = how.delayMs
      }),
    advance: (duration) => waiting(Effect.sleep(duration))
  })
})

/**
 * One node of a test's cluster: the services of a real one, over a disk and a network in memory. It can crash at any
 * moment, and start again over the same disk. Not the cluster (TestCluster.ts).
 */
import { Context, Deferred, Effect, Exit, Layer, type Random, Schema, Scope } from "effect"
import { HttpClient, HttpRouter, HttpServer } from "effect/http"
import { Backups } from "../Backup/Backups.ts"
import { Changes } from "../Changes/Changes.ts"
import { Acting } from "../Client/Acting.ts"
import { Repository } from "../Client/Repository.ts"
import { Member } from "../Cluster/Member.ts"
import type { Directory } from "../EventStore/Directory.ts"
import { crashDisk, layerMemory as layerDisk, type MemoryDisk, makeMemoryDisk } from "../EventStore/MemoryDirectory.ts"
import { Authentication } from "../Http/Authentication.ts"
import { routerConfig } from "../Http/Mount.ts"
import { Serving } from "../Http/Serving.ts"
import { Lifecycle } from "../Lithair/Lifecycle.ts"
import type { NodeServices, Own } from "../Lithair/Node.ts"
import { LiveQueries } from "../Live/LiveQueries.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { Projections } from "../Projection/Projections.ts"
import { layerMemory as layerNetwork, leave, type MemoryNetwork } from "../Raft/peers/MemoryNetwork.ts"
import { layerNobody, type PeerListener } from "../Raft/peers/PeerListener.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { Reactions } from "../Reaction/Reactions.ts"
import { Commands } from "../Repository/Commands.ts"
import { Records } from "../Repository/Records.ts"
import { SqlProjections } from "../Sql/SqlProjections.ts"
import { makeMemoryServer } from "./MemoryServer.ts"
import { newIdOf, references, seeded, uuidOf } from "./TestClusterRandom.ts"
import type { Process, TestClusterTime } from "./TestClusterTime.ts"

/** The services of a node for a test's program. Its `HttpClient` asks that node, by paths such as `/api/products`. */
export type TestNodeServices = NodeServices | HttpClient.HttpClient

/**
 * The node cannot run the program. `not-running`: the program did not begin. `crashed`: the node crashed during the
 * program, and the program's requests may or may not be done.
 */
export class NodeDown extends Schema.TaggedError<NodeDown>()("NodeDown", {
  message: Schema.String,
  nodeId: Schema.String,
  reason: Schema.Literals(["not-running", "crashed"])
}) {}

/** The state that a crash loses. */
interface Running {
  readonly services: Context.Context<TestNodeServices>
  readonly scope: Scope.Closeable
  readonly crashed: Deferred.Deferred<never, NodeDown>
}

/** The state that a crash keeps. */
export interface TestNode {
  readonly nodeId: string
  disk: MemoryDisk
  readonly random: Random.Random
  readonly newId: () => string
  /** The release that it runs; undefined for the one that the cluster began with. */
  release: string | undefined
  readonly process: Process
  running: Running | undefined
}

/** The services of a node and its routes, over a given directory, network and server. */
export type NodeLayer = Layer.Layer<
  NodeServices,
  unknown,
  HttpServer.HttpServer | Directory | Transport | PeerListener | Lifecycle
>

/** The parts that the nodes of a cluster share. */
export interface Surroundings {
  readonly time: TestClusterTime
  readonly network: MemoryNetwork
  readonly nodeIds: ReadonlyArray<string>
  readonly layer: (own: Own, release: string | undefined) => NodeLayer
  /** The services of the test that the layer needs. They include the test's own clock, which the nodes must not use. */
  readonly needed: Context.Context<never>
  /** Fails when a node stopped by itself. */
  readonly broken: Deferred.Deferred<never>
}

/** A node with an empty disk, which does not run yet. */
export const make = Effect.fnUntraced(function* (
  nodeId: string,
  { seed, time }: { seed: string; time: TestClusterTime }
) {
  const random = yield* seeded(`${seed}/${nodeId}`)
  const disk = makeMemoryDisk({ nodeId, instanceId: yield* uuidOf(random) })
  const node: TestNode = {
    nodeId,
    disk,
    random,
    newId: newIdOf(time.clock, random),
    process: time.process(),
    release: undefined,
    running: undefined
  }
  return node
})

/** Gives a node that does not run an empty disk, as that of a new machine which waits to be added to the cluster. */
export const wipe = (node: TestNode): Effect.Effect<void> =>
  Effect.map(uuidOf(node.random), (instanceId) => {
    const { clusterId } = node.disk.identity
    node.disk = makeMemoryDisk({ nodeId: node.nodeId, instanceId })
    node.disk.identity = { ...node.disk.identity, clusterId }
    // As Forming.ts leaves it, before the leader has sent anything.
    node.disk.logs.log.hardState = { currentTerm: 1, votedFor: undefined }
  })

/** Starts the node over what its disk holds, unless it runs. */
export const start = (node: TestNode, surroundings: Surroundings): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (node.running !== undefined) return
    const { broken, network, nodeIds } = surroundings
    const { disk, newId, nodeId, random } = node
    const peers = nodeIds.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
    const self = { nodeId, address: nodeId, instanceId: disk.identity.instanceId, peers }
    const scope = yield* Scope.make()
    const server = yield* makeMemoryServer(nodeId, scope)
    const running: Pick<Running, "scope" | "crashed"> = { scope, crashed: yield* Deferred.make<never, NodeDown>() }
    // A crash is no orderly end, so nothing drains. A node that stops by itself breaks the test, unless it was removed, its models
    // do not fit its records, or the test made its disk fail.
    const ended = Effect.suspend(() => (node.running?.scope === scope ? crash([node], surroundings) : Effect.void))
    const lifecycle = Lifecycle.of({
      beforeDrain: () => Effect.void,
      register: ({ stopped }) =>
        stopped.pipe(
          Effect.catchIf(
            (error) =>
              error._tag === "MemberRemoved" ||
              error._tag === "ModelMismatch" ||
              (error._tag === "LogFailed" && disk.failsNext),
            () => Effect.asVoid(Effect.forkDetach(ended))
          ),
          Effect.orDie,
          Effect.onError((cause) => (node.running?.scope === scope ? Deferred.failCause(broken, cause) : Effect.void)),
          Effect.forkIn(scope),
          Effect.asVoid
        )
    })
    const layer = surroundings
      .layer({ self, newId }, node.release)
      .pipe(
        Layer.provide(Layer.succeed(HttpServer.HttpServer, server.server)),
        Layer.provide(Layer.succeed(HttpRouter.RouterConfig, routerConfig)),
        Layer.provide(layerNetwork({ network, self })),
        Layer.provide(layerNobody),
        Layer.provide(layerDisk(disk)),
        Layer.provide(Layer.succeed(Lifecycle, lifecycle)),
        Layer.orDie
      )
    // A memo map of its own: the nodes of one process share no service, although their layers are the same.
    const memoMap = yield* Layer.makeMemoMap
    const built = yield* Layer.buildWithMemoMap(layer, memoMap, scope)
    node.running = {
      ...running,
      services: built.pipe(
        Context.pick(
          Repository,
          Acting,
          Records,
          Changes,
          LiveQueries,
          Commands,
          Projections,
          Reactions,
          SqlProjections,
          Backups,
          Member,
          LocalNode,
          Serving,
          Authentication
        ),
        Context.add(HttpClient.HttpClient, server.client),
        Context.add(Layer.CurrentMemoMap, memoMap),
        Context.merge(references(random))
      )
    }
  }).pipe(
    Effect.provideContext(references(node.random)),
    node.process.run,
    Effect.provideContext(surroundings.needed),
    Effect.uninterruptible
  )

/** The node loses its connections, and everything that its disk had not synced. */
const cutPower = Effect.fnUntraced(function* (node: TestNode, { network }: Surroundings) {
  const { disk, nodeId, process, random, running } = node
  node.running = undefined
  process.resume()
  if (running === undefined) return undefined
  yield* Effect.provideContext(crashDisk(disk), references(random))
  leave(network, nodeId)
  const message = `${nodeId} crashed before it answered`
  yield* Deferred.fail(running.crashed, new NodeDown({ nodeId, reason: "crashed", message }))
  return running.scope
})

/** The nodes are gone, all at the same moment. */
export const crash = (nodes: ReadonlyArray<TestNode>, surroundings: Surroundings): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scopes = yield* Effect.forEach(nodes, (node) => cutPower(node, surroundings))
    for (const scope of scopes) if (scope !== undefined) yield* Scope.close(scope, Exit.void)
  }).pipe(surroundings.time.run, Effect.uninterruptible)

/** Runs a program on the node until the program ends or the node is gone. */
export const run = <A, E, R>(
  node: TestNode,
  effect: Effect.Effect<A, E, R>,
  { broken, time }: Surroundings
): Effect.Effect<A, E | NodeDown, Exclude<R, TestNodeServices>> =>
  Effect.suspend(() => {
    const { nodeId, running } = node
    if (running === undefined) {
      return Effect.fail(new NodeDown({ nodeId, reason: "not-running", message: `${nodeId} is not running` }))
    }
    const gone = Effect.raceFirst(Deferred.await(running.crashed), Deferred.await(broken))
    return time.run(Effect.raceFirst(node.process.run(Effect.provideContext(effect, running.services)), gone))
  })

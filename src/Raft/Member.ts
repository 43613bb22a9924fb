/**
 * One member of a cluster, as the rooms above see it: it forms the cluster once, then agrees with it, and hands to the
 * leader what it cannot decide itself. Not consensus (RaftNode.ts) and not HTTP.
 */
import { Context, Deferred, Effect, FiberSet, Layer, type Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Directory, type DirectoryMismatch } from "../EventStore/Directory.ts"
import { layerFile } from "../EventStore/FileLog.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import type { Command } from "../Machine/Command.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model.ts"
import * as Attempts from "./Attempts.ts"
import { type FormedCluster, type FormingRefused, formed } from "./Formed.ts"
import * as Forwarding from "./Forwarding.ts"
import type { NodeId } from "./Message.ts"
import { NotDone, type UnknownOutcome } from "./Outcome.ts"
import { defaults, type RaftConfig } from "./RaftConfig.ts"
import * as RaftNode from "./RaftNode.ts"
import * as ReplicatedMachine from "./ReplicatedMachine.ts"
import { type Self, Transport, type TransportEvent } from "./Transport.ts"

/** How often a peer that is unformed is told of the cluster again: it may not have listened when it came up. */
const proposeIntervalMs = 1_000
/** How long a node that is to stop waits for the commands under way. */
const drainTimeoutMs = 1_000
const drainPollMs = 10

type Node = RaftNode.RaftNode<Command, ReplicatedMachine.CommandResult>
type Answered = RaftNode.Answered<ReplicatedMachine.CommandResult>

/** Why a member ended: its disk, its files, or a cluster that will not have it. */
export type MemberFailure = LogFailed | LogCorrupt | DirectoryMismatch | FormingRefused

export class Member extends Context.Service<
  Member,
  {
    readonly self: Self
    /** Decides a command on the leader, wherever it is. `NotDone` is certain, of this attempt. */
    readonly submit: (command: Command) => Effect.Effect<Answered, NotDone | UnknownOutcome>
    /** Waits until this node's tables are linearizable for a read that begins now (diss. 6.4); gives the index. */
    readonly readIndex: Effect.Effect<number, NotDone>
    /** Takes no more commands, waits until those under way here are answered, and hands leadership over. Reads go on. */
    readonly drain: Effect.Effect<void>
    readonly isDraining: () => boolean
    /** What is applied here. It changes with every entry: read it at once, or clone it. */
    readonly tables: Tables
    /** The cluster, once this node is formed; the node, once it runs. */
    readonly cluster: () => FormedCluster | undefined
    readonly node: () => Node | undefined
    readonly leader: () => NodeId | undefined
    /** Ends with what stopped this member. */
    readonly stopped: Effect.Effect<never, MemberFailure>
  }
>()("lithair/Raft/Member") {}

export interface MemberOptions {
  readonly self: Self
  readonly models: ReadonlyArray<Descriptor>
  readonly config?: RaftConfig
}

const leaderOf = (node: Node | undefined): NodeId | undefined => {
  const role = node?.core.role
  if (role?._tag === "Leader") return node?.core.nodeId
  return role?._tag === "Follower" ? role.leader : undefined
}

const make = Effect.fnUntraced(function* (
  options: MemberOptions
): Effect.fn.Return<Member["Service"], never, Directory | Transport | Scope.Scope> {
  const { self } = options
  const directory = yield* Directory
  const transport = yield* Transport
  const fork = yield* FiberSet.makeRuntime<Directory | Transport>()
  const stopped = yield* Deferred.make<never, MemberFailure>()
  const machine = Machine.make(options.models)
  let cluster: FormedCluster | undefined
  let node: Node | undefined

  const openLog = (options: { readonly mustExist: boolean }) =>
    Effect.map(Layer.build(layerFile({ directory: `${directory.path}/log`, ...options })), (context) =>
      Context.get(context, LogStore)
    )

  const run = Effect.gen(function* () {
    cluster = yield* formed(self, openLog)
    const { clusterId, configuration, firstEntry } = cluster
    yield* transport.announce({ clusterId, members: configuration.voters })
    const running = yield* RaftNode.make({
      nodeId: self.nodeId,
      configuration,
      config: options.config ?? defaults,
      machine: ReplicatedMachine.make(machine, { newId: () => uuidV7Unsafe() })
    }).pipe(Effect.provideService(LogStore, yield* openLog({ mustExist: true })))
    node = running
    /** Peers that are up and are who the configuration says: of the cluster, with the data directory they formed it with. */
    const members = new Set<NodeId>()
    const propose = (peer: NodeId) => transport.send(peer, "control", { _tag: "Form", clusterId, entry: firstEntry })
    const listen = (event: TransportEvent): void => {
      if (event._tag === "PeerDown") {
        members.delete(event.peer)
        running.peerDown(event.peer)
        forwarding.peerDown(event.peer)
      } else if (event._tag === "PeerUp") {
        const { hello, peer } = event
        const voter = configuration.voters.find(({ id }) => id === peer)
        if (hello.clusterId === null) propose(peer)
        else if (voter?.instanceId === hello.instanceId) members.add(peer)
        else fork(Effect.logWarning(`${peer} is no member of cluster ${clusterId}: nothing that it says counts`))
      } else if (!members.has(event.from)) {
        // C15: a node that lost its data, or was never a member, votes for nobody and asks for nothing.
        return
      } else if (event.message._tag === "Forward" || event.message._tag === "ForwardReply") {
        forwarding.receive(event.from, event.message)
      } else if (event.message._tag !== "Form" && event.message._tag !== "FormReply") {
        running.receive(event.from, event.message)
      }
    }
    const proposeAgain = Effect.sync(() => {
      for (const [peer, { clusterId }] of transport.connected()) if (clusterId === null) propose(peer)
    }).pipe(Effect.delay(proposeIntervalMs), Effect.forever)
    return yield* Effect.raceAllFirst([running.stopped, transport.run(listen), proposeAgain])
  }).pipe(
    Effect.scoped,
    Effect.ensuring(
      Effect.sync(() => {
        node = undefined
      })
    )
  )

  let isDraining = false
  let underWayCount = 0

  const decideHere = (command: Command, timeoutMs: number) =>
    Effect.suspend(() => {
      if (isDraining) return Effect.fail(draining)
      if (node === undefined) return Effect.fail(starting)
      underWayCount += 1
      const isOver = Effect.sync(() => {
        underWayCount -= 1
      })
      return Effect.ensuring(node.submit(command, timeoutMs), isOver)
    })

  /** Commands of peers are decided here or not at all: a command is forwarded once. */
  const forwarding: Forwarding.Forwarding = Forwarding.make({
    transport,
    submit: (command) => decideHere(command, Attempts.answerTimeoutMs),
    fork
  })

  const attempt = (command: Command, leader: NodeId, timeoutMs: number) =>
    leader === self.nodeId ? decideHere(command, timeoutMs) : forwarding.forward(leader, command, timeoutMs)

  const leadership: Attempts.Leadership = {
    leader: () => leaderOf(node),
    leaderlessSinceMs: () => node?.leaderlessSinceMs()
  }

  fork(Effect.catchCause(run, (cause) => Deferred.failCause(stopped, cause)))

  return Member.of({
    self,
    submit: (command) =>
      Effect.suspend(() =>
        isDraining
          ? Effect.fail(draining)
          : Attempts.untilAnswered({
              leadership,
              isRepeatable: command.key !== undefined,
              attempt: (leader, timeoutMs) => attempt(command, leader, timeoutMs)
            })
      ),
    readIndex: Attempts.untilAnswered({
      leadership,
      isRepeatable: false,
      attempt: (_, timeoutMs) =>
        Effect.suspend(() => node?.readIndex ?? Effect.fail(starting)).pipe(
          Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(lagging) })
        )
    }),
    drain: Effect.suspend(() => {
      isDraining = true
      return Effect.sleep(drainPollMs).pipe(
        Effect.repeat({ until: () => underWayCount === 0 }),
        Effect.andThen(Effect.suspend(() => node?.handOver ?? Effect.void)),
        Effect.timeoutOrElse({ duration: drainTimeoutMs, orElse: () => Effect.void })
      )
    }),
    isDraining: () => isDraining,
    tables: machine.applied,
    cluster: () => cluster,
    node: () => node,
    leader: () => leaderOf(node),
    stopped: Deferred.await(stopped)
  })
})

const starting = new NotDone({ reason: "no-quorum", message: "This node is not a running member yet" })

const draining = new NotDone({ reason: "draining", message: "This node is about to stop" })

const lagging = new NotDone({ reason: "no-quorum", message: "This node does not catch up with its leader" })

/** Forms, agrees and forwards until its scope closes. */
export const layer = (options: MemberOptions): Layer.Layer<Member, never, Directory | Transport> =>
  Layer.effect(Member, make(options))

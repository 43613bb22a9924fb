/**
 * One member of a cluster, as the rooms above see it: it forms the cluster once, then agrees with it, and hands to the
 * leader what it cannot decide itself. Not consensus (RaftNode.ts) and not HTTP.
 */
import { Clock, Context, Deferred, Effect, FiberSet, Layer, type Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Directory, type DirectoryMismatch } from "../EventStore/Directory.ts"
import { layerFile } from "../EventStore/FileLog.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import type { Command } from "../Machine/Command.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model.ts"
import { type FormedCluster, type FormingRefused, formed } from "./Formed.ts"
import * as Forwarding from "./Forwarding.ts"
import type { NodeId } from "./Message.ts"
import { NotDone, type UnknownOutcome } from "./Outcome.ts"
import { defaults, type RaftConfig } from "./RaftConfig.ts"
import * as RaftNode from "./RaftNode.ts"
import * as ReplicatedMachine from "./ReplicatedMachine.ts"
import { type Self, Transport, type TransportEvent } from "./Transport.ts"

/** A request is answered within this time, its waiting for a leader included: done, certainly not done, or unknown. */
const answerTimeoutMs = 2_500
/** How long a request waits for a leader before it is refused: longer than an election takes. */
const leaderWaitMs = 1_500
/** How often a peer that is unformed is told of the cluster again: it may not have listened when it came up. */
const proposeIntervalMs = 1_000
/** How often a request that waits for a leader looks again. */
const leaderPollMs = 10

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

  /** Commands of peers are decided here or not at all: a command is forwarded once. */
  const forwarding: Forwarding.Forwarding = Forwarding.make({
    transport,
    submit: (command) => (node === undefined ? Effect.fail(noLeader) : node.submit(command, answerTimeoutMs)),
    fork
  })

  const attempt = (command: Command, leader: NodeId, timeoutMs: number) =>
    leader === self.nodeId && node !== undefined
      ? node.submit(command, timeoutMs)
      : forwarding.forward(leader, command, timeoutMs)

  /** Tries again what is certainly not done for want of a leader, until one is there or the wait is over. */
  const withLeader = <A, E>(use: (node: Node, leader: NodeId, timeoutMs: number) => Effect.Effect<A, E | NotDone>) =>
    Effect.gen(function* () {
      const beganMs = yield* monotonicMs
      let refusal: E | NotDone = noLeader
      while (true) {
        const leader = leaderOf(node)
        if (node !== undefined && leader !== undefined) {
          const leftMs = beganMs + answerTimeoutMs - (yield* monotonicMs)
          const tried = yield* Effect.result(use(node, leader, leftMs))
          if (tried._tag === "Success") return tried.success
          refusal = tried.failure
          if (!isNoLeader(refusal)) return yield* Effect.fail(refusal)
        }
        if ((yield* monotonicMs) >= beganMs + leaderWaitMs) return yield* Effect.fail(refusal)
        yield* Effect.sleep(leaderPollMs)
      }
    })

  fork(Effect.catchCause(run, (cause) => Deferred.failCause(stopped, cause)))

  return Member.of({
    self,
    submit: (command) => withLeader((_, leader, timeoutMs) => attempt(command, leader, timeoutMs)),
    readIndex: withLeader((running, _, timeoutMs) =>
      Effect.timeoutOrElse(running.readIndex, { duration: timeoutMs, orElse: () => Effect.fail(lagging) })
    ),
    tables: machine.applied,
    cluster: () => cluster,
    node: () => node,
    leader: () => leaderOf(node),
    stopped: Deferred.await(stopped)
  })
})

const noLeader = new NotDone({ reason: "no-quorum", message: "No leader is reachable: this node may be in a minority" })

const lagging = new NotDone({ reason: "no-quorum", message: "This node does not catch up with its leader" })

/** Wall-clock jumps change nothing (C19). */
const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

const isNoLeader = (error: unknown): boolean => error instanceof NotDone && error.reason === "no-quorum"

/** Forms, agrees and forwards until its scope closes. */
export const layer = (options: MemberOptions): Layer.Layer<Member, never, Directory | Transport> =>
  Layer.effect(Member, make(options))

/**
 * Runs consensus for a member: forms the cluster or opens its log, starts the node, and passes on what peers send, until
 * it ends. makeMember.ts has the services around it.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { Directory } from "../EventStore/Directory.ts"
import { History } from "../EventStore/History.ts"
import { LogSpace } from "../EventStore/LogSpace.ts"
import { type LogCorrupt, LogStore } from "../EventStore/LogStore.ts"
import { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import { recordId } from "../Local/RecordId.ts"
import { boundsOf } from "../Local/Retention.ts"
import type { Command } from "../Machine/Command.ts"
import { erasuresOf } from "../Machine/Erasure.ts"
import * as Format from "../Machine/Format.ts"
import type * as Machine from "../Machine/Machine.ts"
import { type Configuration, empty, membersOf } from "../Raft/core/Configuration.ts"
import * as Membership from "../Raft/core/Membership.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import { defaults } from "../Raft/core/RaftConfig.ts"
import { marksIn } from "../Raft/node/AppliedMarks.ts"
import * as EntryTraces from "../Raft/node/EntryTraces.ts"
import { make as makeRaftNode } from "../Raft/node/makeRaftNode.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import * as Removal from "../Raft/node/Removal.ts"
import { checkNotEmptied, configurationsOf, firstEntryOf } from "../Raft/node/recoverConfigurations.ts"
import { outcomeOf } from "../Raft/node/Settle.ts"
import { historyProtocol } from "../Raft/peers/Handshake.ts"
import { foreignStart } from "../Raft/peers/Introduction.ts"
import type { JoinAsked } from "../Raft/peers/JoinLane.ts"
import { Transport } from "../Raft/peers/Transport.ts"
import type { Tracing } from "../Tracing.ts"
import type { CommandDurations } from "./CommandDurations.ts"
import { type ErasingPart, replicatedFiles } from "./Erasing.ts"
import * as Feed from "./Feed.ts"
import { formed } from "./Forming.ts"
import type { Forwarding } from "./Forwarding.ts"
import * as HistoryFetching from "./HistoryFetching.ts"
import { joinThrough } from "./Joining.ts"
import * as KeysWatch from "./KeysWatch.ts"
import * as LeaderlessLog from "./LeaderlessLog.ts"
import type { MemberOptions } from "./Member.ts"
import { modelsChecked } from "./ModelsChecked.ts"
import * as Moves from "./Moves.ts"
import type { Order, OrderAnswer } from "./Order.ts"
import type { Node } from "./OrdersHere.ts"
import * as PeerHistory from "./PeerHistory.ts"
import * as PeerInbox from "./PeerInbox.ts"
import * as PeerLines from "./PeerLines.ts"
import * as Proving from "./Proving.ts"
import { repairableOf } from "./Repairable.ts"
import * as ReplicatedMachine from "./ReplicatedMachine.ts"
import * as Retention from "./Retention.ts"
import { handOverOnce } from "./UncheckedLeader.ts"

/** How long the decision of a node's own command may take. */
const ownTimeoutMs = 2_000

/** The parts of a member that exist once it runs. They are undefined before. */
export interface Running {
  clusterId: string | undefined
  node: Node | undefined
  removal: Removal.Removal | undefined
  snapshots: SnapshotStore["Service"] | undefined
  /** Whether the stored records fit the models of this release. Until then this node takes no requests. */
  isChecked: boolean
}

export const make = (): Running => ({
  clusterId: undefined,
  node: undefined,
  removal: undefined,
  snapshots: undefined,
  isChecked: false
})

/** The leader that this node knows. */
export const leaderOf = ({ node }: Running): NodeId | undefined => {
  const role = node?.core.role
  if (role?._tag === "Leader") return node?.core.nodeId
  return role?._tag === "Follower" ? role.leader : undefined
}

/** Runs until it fails. */
export const run = Effect.fnUntraced(function* (
  running: Running,
  options: MemberOptions & {
    readonly machine: Machine.Machine
    readonly forwarding: Forwarding<Order, OrderAnswer>
    readonly durations: CommandDurations
    readonly tracing: Tracing | undefined
    readonly feed: {
      readonly open: (source: Feed.FeedSource) => void
      readonly advanced: () => void
      readonly held: Feed.Feed["held"]
    }
    /** Another node leads, or this node was removed. */
    readonly onLeadership: () => void
    /** Runs beside the node once its records are checked, and ends it if it fails. */
    readonly beside: Effect.Effect<never>
    /** A proven node asks to be taken in. */
    readonly onJoin: (asked: JoinAsked) => void
    /** Carries out erasures in the files of the log and beside it. */
    readonly erase: (files: ErasingPart) => Effect.Effect<never>
    /** Ends the member for this reason. */
    readonly end: (
      error: LogCorrupt | Removal.MemberRemoved | Removal.ClusterSuperseded | Removal.DirectoryCopied
    ) => Effect.Effect<unknown>
    readonly fork: (effect: Effect.Effect<unknown>) => void
  }
) {
  const { durations, end, feed, fork, forwarding, self } = options
  const directory = yield* Directory
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const newId = options.newId ?? recordId

  const openLog = (options: { readonly mustExist: boolean }) =>
    Effect.map(Layer.build(directory.log("log", options)), (context) => Context.get(context, LogStore))

  const join = options.join === undefined ? undefined : joinThrough(options.join)
  const clusterId = yield* formed(self, openLog, join)
  running.clusterId = clusterId
  const snapshots = yield* Layer.build(directory.snapshots)
  const repairable = repairableOf({
    self,
    isJoining: join !== undefined,
    snapshots: Context.get(snapshots, SnapshotStore)
  })
  const log = yield* Layer.build(directory.log("log", { mustExist: true, clusterId, repairable }))
  const store = Context.get(log, LogStore)
  const history = Context.get(log, History)
  yield* checkNotEmptied(store, { nodeId: self.nodeId, clusterId })
  const configurations = yield* configurationsOf(store)
  const firstEntry = yield* firstEntryOf(store)
  const announce = (configuration: Configuration) => {
    const { restored } = options.machine.applied
    announced = restored
    const formerClusterIds = restored?.formerClusterIds ?? []
    return transport.announce({ clusterId, members: membersOf(configuration), formerClusterIds })
  }
  let announced: typeof options.machine.applied.restored
  const known = configurations[configurations.length - 1]?.configuration ?? empty
  if (membersOf(known).length === 0 && join !== undefined) {
    // The cluster has taken this node in, and its log names no members yet. The member that took it in does.
    yield* transport.announce({ clusterId, members: (yield* join(self, clusterId)).members })
  } else yield* announce(known)
  /** Ends this node if its cluster has met another process with this directory, which was a copy then. */
  const checkStart = (configuration: Configuration): void => {
    const later = foreignStart(configuration, self)
    if (later !== undefined) fork(end(Removal.copied({ nodeId: self.nodeId, later })))
  }
  let removal: Removal.Removal | undefined
  let told = PeerLines.membersLine(known)
  const traces = options.tracing === undefined ? undefined : EntryTraces.make(options.tracing, self.nodeId)
  const node = yield* makeRaftNode({
    nodeId: self.nodeId,
    instanceId: self.instanceId,
    life: directory.life,
    marks: marksIn(directory.derived, clusterId),
    configurations,
    config: { ...defaults, ...options.config },
    machine: ReplicatedMachine.make(options.machine, {
      newId,
      monotonicMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
      watch: {
        nowNanos: () => clock.monotonicTimeNanosUnsafe(),
        decided: (command, { at, isEntry, tookNanos }) => {
          durations.decided(command, tookNanos)
          if (command.trace === undefined || traces === undefined) return
          traces.decided(command.trace, {
            command: durations.nameOf(command),
            tookNanos,
            at: isEntry ? { index: at.index, term: at.term } : undefined
          })
        },
        applying: traces?.applying
      }
    }),
    ...(traces === undefined ? {} : { traces }),
    onConfiguration: (configuration) => {
      checkStart(configuration)
      const line = PeerLines.membersLine(configuration)
      if (line !== told) fork(Effect.logInfo(line))
      told = line
      fork(announce(configuration))
    },
    onLeader: (leader) => {
      forwarding.leaderChanged(leader)
      options.onLeadership()
    },
    onApplied: () => {
      feed.advanced()
      removal?.consider()
      // A snapshot brought the ids of the clusters whose place this one took.
      if (options.machine.applied.restored !== announced) fork(Effect.suspend(() => announceNow()))
    }
  }).pipe(Effect.provide(Context.merge(log, snapshots)))
  removal = Removal.make({ core: node.core, fork, end, onRemoved: options.onLeadership })
  const announceNow = () => announce(node.core.configuration)
  // A snapshot may name the members where the log does not.
  const isInSnapshot = membersOf(known).length === 0 && membersOf(node.core.configuration).length > 0
  if (isInSnapshot || options.machine.applied.restored !== undefined) yield* announceNow()
  checkStart(node.core.configuration)
  running.node = node
  running.removal = removal
  running.snapshots = Context.get(snapshots, SnapshotStore)
  const holding = {
    log: node.core.log,
    firstIndex: Context.get(log, LogSpace).firstIndex,
    history: history.ranges,
    retainedFrom: () => options.machine.applied.retainedFrom,
    restored: () => options.machine.applied.restored,
    appliedIndex: node.appliedIndex
  }
  const erasures = () => erasuresOf(options.machine.applied)
  // Damage ends this node, whichever reader finds it.
  feed.open({ ...holding, erasures, read: (range) => Effect.tapErrorTag(store.read(range), "LogCorrupt", end) })
  const peerHistory = yield* PeerHistory.make({ life: directory.life, transport, holding, held: feed.held })
  const fetching = HistoryFetching.follow({
    holding,
    history,
    peers: () =>
      membersOf(node.core.configuration).flatMap(({ id }) =>
        (transport.connected().get(id)?.protocolMax ?? 0) >= historyProtocol ? [id] : []
      ),
    peerHistory,
    // The peer may not know of an erasure yet.
    blank: (entry) => Feed.blankedEntry(entry, erasures()),
    isStorageShort: node.isStorageShort,
    onFetched: feed.advanced
  })
  const submit = (command: Command) =>
    Effect.ignore(outcomeOf<unknown, NotDone | UnknownOutcome>((settle) => node.submit(command, ownTimeoutMs, settle)))
  const retention = Retention.follow({
    history,
    bounds: boundsOf(options.retention),
    tables: () => options.machine.applied,
    isLeader: () => node.core.role._tag === "Leader",
    submit
  })
  const peering = PeerInbox.listen({
    clusterId,
    firstEntry,
    configuration: () => node.core.configuration,
    excludedAt: (peer) => Membership.excludedAt(node.core, peer),
    onNotAMember: removal.told,
    onCopied: (later) => fork(end(Removal.copied({ nodeId: self.nodeId, later }))),
    onJoin: options.onJoin,
    onSuperseded: (by) => fork(end(Removal.superseded({ nodeId: self.nodeId, clusterId, by }))),
    onDown: (peer) => {
      node.peerDown(peer)
      forwarding.peerDown(peer)
    },
    onReachable: node.peerReachable,
    onMessage: node.receive,
    onState: node.states.received,
    onHistory: (from, message) =>
      message._tag === "HistoryWanted" ? peerHistory.asked(from, message) : peerHistory.answered(from, message),
    onForward: (from, message) => forwarding.receive(from, message),
    lines: PeerLines.make({ nowNanos: () => clock.monotonicTimeNanosUnsafe(), fork })
  })
  const checked = modelsChecked({
    node,
    tables: () => options.machine.applied,
    models: options.models,
    derived: directory.derived
  }).pipe(
    Effect.andThen(
      Effect.sync(() => {
        running.isChecked = true
        options.onLeadership()
      })
    )
  )
  const isRecording = () => Format.isFormatActive(options.machine.applied, Format.recordingStarts)
  const moving = Moves.follow({ self, node, isRecording })
  const explaining = LeaderlessLog.explain({
    nodeId: self.nodeId,
    leader: () => leaderOf(running),
    configuration: () => node.core.configuration
  })
  const beforeChecked = handOverOnce({
    leads: () => node.core.role._tag === "Leader",
    handOver: node.transferLeadership()
  })
  const ready = Effect.andThen(Effect.raceFirst(checked, beforeChecked), options.beside)
  const erasing = options.erase(
    replicatedFiles({
      history,
      space: Context.get(log, LogSpace),
      snapshots: Context.get(snapshots, SnapshotStore),
      discard: node.discard
    })
  )
  const proving = Proving.follow({
    isWanted: options.tamperEvident === true,
    tables: () => options.machine.applied,
    isLeader: () => node.core.role._tag === "Leader",
    submit
  })
  const watchingKeys = KeysWatch.follow({
    tables: () => options.machine.applied,
    isLeader: () => node.core.role._tag === "Leader"
  })
  const past = [retention, erasing, proving, fetching, peerHistory.answering]
  return yield* Effect.raceAllFirst([node.stopped, peering, ...past, explaining, moving, watchingKeys, ready])
}, Effect.scoped)

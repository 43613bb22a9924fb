/**
 * The only shell of consensus on a node. It owns the fibers, the clock, the log store and the transport, and performs
 * the output of the pure core. One fiber takes turns: it drains all waiting events, messages before ticks, steps the
 * core, decides the waiting commands as one batch, and hands out writes, messages and ranges to apply. One fiber
 * writes, with one write and sync in flight while the next batch forms: group commit without a timer. One fiber
 * applies.
 */

import { Cause, Clock, Deferred, Effect, Exit, FiberSet, Queue, Random, type Scope } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { LogSpace } from "../../EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { Configuration } from "../core/Configuration.ts"
import type { ConfigurationAt } from "../core/Configurations.ts"
import type { Input } from "../core/Input.ts"
import type { Message, NodeId } from "../core/Message.ts"
import type { LogReadRequest, Output, RoleChanged, TransferResult } from "../core/Output.ts"
import type { RaftConfig } from "../core/RaftConfig.ts"
import * as Reads from "../core/Reads.ts"
import { make as makeCore, type State } from "../core/State.ts"
import { step } from "../core/step.ts"
import type { Lane } from "../peers/PeerMessage.ts"
import { Transport } from "../peers/Transport.ts"
import * as Applier from "./Applier.ts"
import * as CommandQueue from "./CommandQueue.ts"
import * as DiskSpace from "./DiskSpace.ts"
import * as LeaderWatch from "./LeaderWatch.ts"
import * as LogWriter from "./LogWriter.ts"
import * as MembershipRequests from "./MembershipRequests.ts"
import { NotDone, draining as notBegun, type UnknownOutcome } from "./Outcome.ts"
import { restoreNewest } from "./restoreMachine.ts"
import * as SnapshotLoop from "./SnapshotLoop.ts"
import type { StateMachine } from "./StateMachine.ts"
import * as StateWatch from "./StateWatch.ts"
import * as TakeReadIndex from "./takeReadIndex.ts"
import * as WaitingReads from "./WaitingReads.ts"

/** How often the core receives a tick. */
const tickIntervalMs = 10
/** How long one turn decides. The other commands wait for the next turn, so that messages, ticks and beats do not. */
const decideMaxNanos = 10_000_000n
/** The limit on commands that wait to be decided. One more is refused as overloaded. */
const pendingMaxCount = 4096

/** Gives up a request: `settle` is not called any more. A command that was not proposed never will be. */
export type Forget = () => void

/** Consensus on one node, for a machine with `Command` and `Answer`. */
export interface RaftNode<Command, Answer> {
  /**
   * Decides `command` here, if this node leads, and tells `settle` once its answer is final. `NotDone` is certain. After
   * `timeoutMs` a command that was not proposed is `NotDone`, and a proposed one has an unknown outcome. `settle` may be
   * called before this returns, and must not throw. Requests.ts has the Effect.
   */
  readonly submit: (command: Command, timeoutMs: number, settle: CommandQueue.Settle<Answer>) => Forget
  /**
   * Tells `settle` once the applied state is linearizable for a read that begins now, with its index. A follower may be
   * cut off from the entries up to it: after `timeoutMs` the read is refused. `settle` may be called before this returns,
   * and must not throw.
   */
  readonly readIndex: (timeoutMs: number, settle: TakeReadIndex.SettleIndex) => Forget
  /** Takes a message from a peer's core. */
  readonly receive: (from: NodeId, message: Message) => void
  /** `peerDown`: messages under way to the peer may be lost. `peerReachable`: from now on it can be sent entries. */
  readonly peerDown: (peer: NodeId) => void
  readonly peerReachable: (peer: NodeId) => void
  /** Compares the members' states, and says whether this node's own can be trusted. */
  readonly states: StateWatch.StateWatch
  /** Begins a change of the members and waits until it is over, or refuses it. `NotDone` is certain. */
  readonly changeMembers: (
    asked: MembershipRequests.AskedChange,
    timeoutMs: number
  ) => Effect.Effect<MembershipRequests.ChangeResult, NotDone | UnknownOutcome>
  /** Hands leadership to `to`, or to the voter that has caught up most, or refuses (diss. 3.10). */
  readonly transferLeadership: (to?: NodeId) => Effect.Effect<TransferResult>
  /** Call before this node stops. When it returns, the node campaigns no more and does not lead. */
  readonly handOver: Effect.Effect<void>
  /** Call before this node stops. Waiting requests learn what is certain by now, and new ones are refused. */
  readonly giveUp: () => void
  /** Since when no leader is known, on the monotonic clock; undefined while one is. */
  readonly leaderlessSinceMs: () => number | undefined
  /** The index that the machine's state reflects now. */
  readonly appliedIndex: () => number
  /** Whether the log has no room for its next segment, so that this node takes no writes (`storage-full`). */
  readonly isStorageShort: () => boolean
  /** The core's state, to read and never to change. */
  readonly core: Readonly<State>
  /** Fails with the reason once this node stops: a failed disk, or a defect. */
  readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
}

/** Messages that carry or acknowledge entries queue behind each other. No other message may queue behind them (D8). */
const laneOf = (message: Message): Lane =>
  message._tag === "AppendEntries" || message._tag === "AppendEntriesReply" ? "bulk" : "control"

const notDone = (reason: "no-quorum" | "overloaded", message: string) => Exit.fail(new NotDone({ reason, message }))

const stoppedHere = notDone("no-quorum", "This node has stopped")

const leavingHere = Exit.fail(notBegun)

const tooManyWait = notDone("overloaded", `Cannot write: ${pendingMaxCount} commands wait already`)

const nothingToForget: Forget = () => {}

const suspectHere = Exit.fail(StateWatch.suspect)

const unconfirmed = notDone("no-quorum", "Cannot read: no quorum confirms a leader")

export const make = Effect.fnUntraced(function* <Command, Answer>(options: {
  readonly nodeId: NodeId
  /** The instance of the data directory. A configuration with another one means a former node (C16). */
  readonly instanceId: string
  /** The number of this start in the data directory. */
  readonly life: number
  /** The configurations of the log. The latest is in force, committed or not (§6). */
  readonly configurations: ReadonlyArray<ConfigurationAt>
  /** Called when another configuration is in force, which names the peers to connect to. */
  readonly onConfiguration?: (configuration: Configuration) => void
  /** Called when this node learns of a leader. */
  readonly onLeader?: (leader: NodeId) => void
  /** Called when more entries are applied. */
  readonly onApplied?: () => void
  readonly config: RaftConfig
  readonly machine: StateMachine<Command, Answer>
}): Effect.fn.Return<
  RaftNode<Command, Answer>,
  LogFailed | LogCorrupt,
  LogStore | LogSpace | SnapshotStore | Transport | Scope.Scope
> {
  const { machine } = options
  const store = yield* LogStore
  const space = yield* LogSpace
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const snapshots = yield* SnapshotStore
  const snapshot = yield* restoreNewest(machine, store.recovered.firstIndex - 1)
  const core = makeCore({ ...options, recovered: store.recovered, ...(snapshot === undefined ? {} : { snapshot }) })

  const bell = yield* Queue.sliding<void>(1)
  const tasks = yield* Queue.unbounded<Applier.Task>()
  const stopped = yield* Deferred.make<never, LogFailed | LogCorrupt>()
  /** Damage that a fiber finds while it serves a peer. */
  const damaged = yield* Deferred.make<never, LogCorrupt>()

  const inbox = { messages: [] as Array<Input>, others: [] as Array<Input>, ticks: [] as Array<Input> }
  const deciding = CommandQueue.make(machine)
  const reads = WaitingReads.make()
  /** The machine's applied index. It is ahead of the core's `lastApplied` until the core is told. */
  let appliedIndex = core.lastApplied
  let isStopped = false
  /** The refusal of every request, once this node has given up. */
  let refusal: Exit.Exit<never, NotDone> | undefined

  const fork = yield* FiberSet.makeRuntime<never>()
  const leaderWatch = LeaderWatch.make({ nodeId: options.nodeId, fork })

  const ring = () => void Queue.offerUnsafe(bell, undefined)
  const put = (lane: keyof typeof inbox, input: Input) => {
    inbox[lane].push(input)
    ring()
  }

  const writing = yield* LogWriter.make({
    store,
    nowMs: () => core.nowMs,
    onPersisted: (seq) => put("others", { _tag: "Persisted", seq })
  })

  /** Tells all waiting requests what is certain, and refuses new ones. */
  const giveUp = (why: Exit.Exit<never, NotDone>) => {
    refusal = why
    CommandQueue.stop(deciding, why)
    WaitingReads.refuseAll(reads, why)
  }

  /** A failed disk or a broken invariant ends this node: it sends, writes and applies nothing more. */
  const stop = (cause: Cause.Cause<LogFailed | LogCorrupt>) =>
    Effect.sync(() => {
      isStopped = true
      giveUp(stoppedHere)
    }).pipe(Effect.andThen(Deferred.failCause(stopped, cause)))

  /** Reads entries from disk for a peer behind the window. It always reports to the core, which waits for it. */
  const readForPeer = ({ peer, fromIndex, toIndex, maxBytes }: LogReadRequest) =>
    store.read({ fromIndex, toIndex: Math.min(toIndex, core.log.lastIndex), maxBytes }).pipe(
      Effect.catchTag("LogCorrupt", (corrupt) => Effect.andThen(Deferred.fail(damaged, corrupt), Effect.fail(corrupt))),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logWarning(`Cannot read the log from ${fromIndex} on for ${peer}`, cause), [])
      ),
      Effect.map((entries) => put("others", { _tag: "LogRead", peer, entries }))
    )

  const snapshotting = yield* SnapshotLoop.make({
    core,
    machine,
    appliedIndex: () => appliedIndex,
    snapshotAfterBytes: options.config.snapshotAfterBytes,
    put: (input) => put("others", input),
    onReceived: (index) => states.snapshotReceived(index),
    onDefect: (cause) => Deferred.failCause(damaged, cause),
    fork
  })

  const roleChanged = (to: RoleChanged): void => {
    leaderWatch.changed(to, core.lastTickMs ?? 0)
    if (to.role !== "leader") CommandQueue.leadershipLost(deciding)
    if (to.leader !== undefined) options.onLeader?.(to.leader)
  }

  /** A leader counts on entries that it has sent. Entries that never left are reported as lost, as on a broken link. */
  const sendTo = (peer: NodeId, message: Message): void => {
    const isTaken = transport.send(peer, laneOf(message), message)
    if (!isTaken && message._tag === "AppendEntries") put("others", { _tag: "PeerUnreachable", peer })
  }

  const perform = (output: Output): void => {
    if (output.write !== undefined) writing.add(output.write)
    for (const { to, message } of output.messages) sendTo(to, message)
    if (output.restore !== undefined) Queue.offerUnsafe(tasks, { _tag: "Restore", mark: output.restore })
    if (output.apply !== undefined) Queue.offerUnsafe(tasks, { _tag: "Apply", ...output.apply })
    snapshotting.perform(output)
    for (const read of output.readsReady) WaitingReads.ready(reads, read)
    for (const readId of output.readsRefused) WaitingReads.refuse(reads, readId, unconfirmed)
    for (const request of output.readLog) fork(readForPeer(request))
    if (output.configurationChanged !== undefined) {
      options.onConfiguration?.(output.configurationChanged.configuration)
    }
    if (output.standstill !== undefined) leaderWatch.stoodStill(output.standstill)
    if (output.roleChanged !== undefined) roleChanged(output.roleChanged)
  }

  const run = (input: Input): Output => {
    const output = step(core, input)
    perform(output)
    return output
  }

  const states = yield* StateWatch.make({
    nodeId: options.nodeId,
    core,
    machine,
    store,
    snapshots,
    tasks,
    transport,
    run,
    fork,
    appliedIndex: () => appliedIndex,
    takeSnapshot: snapshotting.takeAnew,
    sendSnapshot: snapshotting.sendTo,
    refuseReads: () => WaitingReads.refuseAll(reads, suspectHere),
    onFailure: (cause) => Deferred.failCause(damaged, cause)
  })

  const room = yield* DiskSpace.make({
    isLeader: () => core.role._tag === "Leader",
    nowMs: () => core.lastTickMs ?? 0,
    handOver: () => run({ _tag: "TransferLeadership" })
  })

  const decide = (nowMs: number): void => {
    const endNanos = clock.monotonicTimeNanosUnsafe() + decideMaxNanos
    const isOver = () => clock.monotonicTimeNanosUnsafe() >= endNanos
    CommandQueue.decide(deciding, { core, run, reads, appliedIndex, nowMs, isOver })
  }

  const turn = Effect.gen(function* () {
    yield* Queue.take(bell)
    const nowMs = yield* Clock.currentTimeMillis
    for (const lane of ["messages", "others", "ticks"] as const) {
      for (const input of inbox[lane].splice(0)) run(input)
    }
    CommandQueue.endOverdue(deciding, core.lastTickMs ?? 0)
    WaitingReads.endOverdue(reads, core.lastTickMs ?? 0)
    const isStalled = core.nowMs - (writing.beganMs() ?? core.nowMs) >= options.config.diskStallTimeoutMs
    if (isStalled && !core.diskStalled) run({ _tag: "DiskStalled" })
    room.consider()
    states.ticked()
    const readIds = WaitingReads.takeAsked(reads)
    if (readIds.length > 0) run({ _tag: "Read", readIds })
    decide(nowMs)
    WaitingReads.finish(reads, Reads.readableIndex(core))
    if (deciding.pending.length === 0) return
    ring()
    yield* Effect.yieldNow
  })

  const applyEntry = (entry: LogEntry): void => {
    machine.apply(entry)
    appliedIndex = entry.index
    states.applied(entry.index)
    CommandQueue.applied(deciding, entry)
  }

  const applying = Applier.make({
    core,
    machine,
    store,
    snapshots,
    tasks,
    applyEntry,
    appliedIndex: () => appliedIndex,
    onReplacing: states.replacing,
    onReplaced: states.replaced,
    onApplied: (index, payloadBytes) => {
      appliedIndex = index
      options.onApplied?.()
      states.paused()
      // A state that is not trusted is not kept in a snapshot.
      if (!states.isSuspect()) snapshotting.onApplied(payloadBytes)
      put("others", { _tag: "Applied", index })
    }
  })

  const monotonicNowMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

  const submit = (command: Command, timeoutMs: number, settle: CommandQueue.Settle<Answer>): Forget => {
    const refused = refusalOfWrite()
    if (refused !== undefined) {
      settle(refused)
      return nothingToForget
    }
    const ticket = CommandQueue.submit(deciding, command, settle, { nowMs: monotonicNowMs(), timeoutMs })
    ring()
    return () => CommandQueue.forget(deciding, ticket)
  }

  const refusalOfWrite = (): Exit.Exit<never, NotDone> | undefined => {
    if (refusal !== undefined) return refusal
    if (room.isShort()) return Exit.fail(DiskSpace.storageFull)
    return deciding.pending.length >= pendingMaxCount ? tooManyWait : undefined
  }

  const takeReadIndex = TakeReadIndex.make({
    reads,
    isLeased: options.config.readLease !== undefined,
    monotonicNowMs,
    run,
    ring
  })

  const readIndex = (timeoutMs: number, settle: TakeReadIndex.SettleIndex): Forget => {
    if (refusal !== undefined) {
      settle(refusal)
      return nothingToForget
    }
    return takeReadIndex(monotonicNowMs() + timeoutMs, settle)
  }

  const tick = Effect.gen(function* () {
    const nowNanos = yield* Clock.monotonicTimeNanos
    put("ticks", { _tag: "Tick", nowMs: Number(nowNanos / 1_000_000n), random: yield* Random.next })
    yield* Effect.sleep(tickIntervalMs)
  })

  const loops = [
    Effect.forever(tick),
    Effect.forever(turn),
    Effect.forever(writing.next),
    Effect.forever(applying),
    snapshotting.storeChunks,
    ...states.loops,
    Effect.andThen(room.follow, Effect.never),
    space.scrub,
    space.watch,
    snapshots.watch
  ]
  yield* Effect.all([...loops, Deferred.await(damaged)], { concurrency: "unbounded", discard: true }).pipe(
    Effect.catchCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : stop(cause))),
    Effect.forkScoped
  )

  return {
    submit,
    readIndex,
    receive: (from, message) => put("messages", { _tag: "Receive", from, message }),
    peerDown: (peer) => put("others", { _tag: "PeerUnreachable", peer }),
    peerReachable: (peer) => {
      put("others", { _tag: "PeerReachable", peer })
      snapshotting.onReachable(peer)
    },
    states,
    changeMembers: (asked, timeoutMs) =>
      Effect.suspend(() => {
        const isRefused = () => refusal !== undefined
        return refusal ?? MembershipRequests.changeMembers({ core, run, isRefused }, asked, timeoutMs)
      }),
    transferLeadership: (to) => Effect.sync(() => MembershipRequests.transferLeadership({ core, run }, to)),
    handOver: Effect.suspend(() => (isStopped ? Effect.void : MembershipRequests.handOver({ core, run }))),
    giveUp: () => giveUp(leavingHere),
    leaderlessSinceMs: leaderWatch.leaderlessSinceMs,
    appliedIndex: () => appliedIndex,
    isStorageShort: room.isShort,
    core,
    stopped: Deferred.await(stopped)
  }
})

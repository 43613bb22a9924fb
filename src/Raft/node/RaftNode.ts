/**
 * The only shell of consensus on a node: it owns the fibers, the clock, the log store and the transport, and performs
 * what the pure core returns. One fiber turns: it drains every event that waits, messages before ticks, steps the core,
 * decides the commands that wait as one batch, and hands out writes, messages and ranges to apply. One fiber writes,
 * with one write+sync in flight while the next batch forms: group commit without a timer. One fiber applies.
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
import { NotDone, draining as notBegun, UnknownOutcome } from "./Outcome.ts"
import { restoreNewest } from "./restoreMachine.ts"
import * as SnapshotLoop from "./SnapshotLoop.ts"
import type { StateMachine } from "./StateMachine.ts"
import * as StateWatch from "./StateWatch.ts"
import * as WaitingReads from "./WaitingReads.ts"

/** How often the clock is told to the core. */
const tickIntervalMs = 10
/** How long a turn decides: what waits longer waits for the next turn, and so do no messages, ticks or beats. */
const decideMaxNanos = 10_000_000n
/** Commands that wait to be decided; one more is refused as overloaded. */
const pendingMaxCount = 4096

/** Consensus on one node, for a machine that is asked by `Command` and says `Answer`. */
export interface RaftNode<Command, Answer> {
  /**
   * Decides `command` here, if this node leads, and waits until its answer is final. `NotDone` is certain: past
   * `timeoutMs` it is said of a command that was not proposed yet, and of one that was, that its outcome is unknown.
   */
  readonly submit: (
    command: Command,
    timeoutMs: number
  ) => Effect.Effect<CommandQueue.Answered<Answer>, NotDone | UnknownOutcome>
  /**
   * Waits until what is applied here is linearizable for a read that began with this call; gives the index. That may
   * be never: a follower may be cut off from the entries that it was told of. It is for the caller to set a limit.
   */
  readonly readIndex: Effect.Effect<number, NotDone>
  /** A message of a peer's core. */
  readonly receive: (from: NodeId, message: Message) => void
  /** What was under way to the peer may be lost; and: it can be sent entries from now on. */
  readonly peerDown: (peer: NodeId) => void
  readonly peerReachable: (peer: NodeId) => void
  /** Whether the states of the members are equal, and that of this node is to be believed. */
  readonly states: StateWatch.StateWatch
  /** Begins a change of the members, and waits until it is over; or says why not. `NotDone` is certain. */
  readonly changeMembers: (
    asked: MembershipRequests.AskedChange,
    timeoutMs: number
  ) => Effect.Effect<MembershipRequests.ChangeResult, NotDone | UnknownOutcome>
  /** Hands leadership over, to `to` or to whoever has caught up most; or says why not (diss. 3.10). */
  readonly transferLeadership: (to?: NodeId) => Effect.Effect<TransferResult>
  /** Before this node stops: it campaigns no more, and has handed leadership over, or given it up, when this returns. */
  readonly handOver: Effect.Effect<void>
  /** Before this node stops: whoever waits is told what is certain by now, and what comes is refused. */
  readonly giveUp: () => void
  /** Since when no leader is known, on the monotonic clock; undefined while one is. */
  readonly leaderlessSinceMs: () => number | undefined
  /** What the machine has applied: the index that its state reflects now. */
  readonly appliedIndex: () => number
  /** The log has no room for its next segment: this node takes no writes (`storage-full`). */
  readonly isStorageShort: () => boolean
  /** The core's state, to be looked at and never changed. */
  readonly core: Readonly<State>
  /** Ends with what stopped this node: a disk that failed, or a defect. */
  readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
}

/** Messages that carry or acknowledge entries queue behind each other; nothing else may queue behind them (D8). */
const laneOf = (message: Message): Lane =>
  message._tag === "AppendEntries" || message._tag === "AppendEntriesReply" ? "bulk" : "control"

const notDone = (reason: "no-quorum" | "overloaded", message: string) => Exit.fail(new NotDone({ reason, message }))

const stoppedHere = notDone("no-quorum", "This node has stopped")

const leavingHere = Exit.fail(notBegun)

const suspectHere = Exit.fail(StateWatch.suspect)

const unconfirmed = notDone("no-quorum", "Cannot read: no quorum confirms a leader")

export const make = Effect.fnUntraced(function* <Command, Answer>(options: {
  readonly nodeId: NodeId
  /** Of the data directory: a configuration that names another one means a former node (C16). */
  readonly instanceId: string
  /** The number of this start in it. */
  readonly life: number
  /** Those of the log; the latest is in force, committed or not (§6). */
  readonly configurations: ReadonlyArray<ConfigurationAt>
  /** Another configuration is in force: whom to connect to. */
  readonly onConfiguration?: (configuration: Configuration) => void
  /** This one leads from now on, as far as is known here. */
  readonly onLeader?: (leader: NodeId) => void
  /** More is applied. */
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
  /** Damage met by a fiber that serves a peer. */
  const damaged = yield* Deferred.make<never, LogCorrupt>()

  const inbox = { messages: [] as Array<Input>, others: [] as Array<Input>, ticks: [] as Array<Input> }
  const deciding = CommandQueue.make(machine)
  const reads = WaitingReads.make()
  /** What the machine has applied: ahead of the core's `lastApplied` until the core is told. */
  let appliedIndex = core.lastApplied
  let isStopped = false
  /** Why nobody waits here any longer. */
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

  /** All who wait are told what is certain, and nobody waits any more. */
  const giveUp = (why: Exit.Exit<never, NotDone>) => {
    refusal = why
    CommandQueue.stop(deciding, why)
    WaitingReads.refuseAll(reads, why)
  }

  /** A disk that failed or a broken invariant ends this node: nothing more is said, written or applied. */
  const stop = (cause: Cause.Cause<LogFailed | LogCorrupt>) =>
    Effect.sync(() => {
      isStopped = true
      giveUp(stoppedHere)
    }).pipe(Effect.andThen(Deferred.failCause(stopped, cause)))

  /** What a peer lacks and memory holds no more. However the reading ends, the core is told: it waits for no more than one. */
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

  /** A leader counts on entries that it has sent: those that never left are lost as on a broken link. */
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
      // What is not believed is not kept either.
      if (!states.isSuspect()) snapshotting.onApplied(payloadBytes)
      put("others", { _tag: "Applied", index })
    }
  })

  const readByRound = Effect.callback<number, NotDone>((resume) => {
    if (refusal !== undefined) return resume(refusal)
    const readId = WaitingReads.ask(reads, (exit) => resume(exit))
    ring()
    return Effect.sync(() => WaitingReads.forget(reads, readId))
  })

  /**
   * The core judges a lease by the last tick, which a pause may have followed: it is judged again by the clock, once
   * what the read must see is applied. It is enough that it holds then, since what is applied only grows (C7).
   */
  const readUnderLease = Effect.callback<Effect.Effect<number, NotDone>, NotDone>((resume) => {
    if (refusal !== undefined) return resume(refusal)
    const readId = WaitingReads.add(reads, (exit, leaseUntilMs = Number.POSITIVE_INFINITY) => {
      const nowMs = Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      resume(Effect.succeed(nowMs < leaseUntilMs ? exit : readByRound))
    })
    run({ _tag: "Read", readIds: [readId], mayLease: true })
    ring()
    return Effect.sync(() => WaitingReads.forget(reads, readId))
  }).pipe(Effect.flatten)

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
    submit: (command, timeoutMs) =>
      Effect.suspend(() => {
        let ticket: CommandQueue.Ticket<Answer> | undefined
        const attempt = Effect.callback<CommandQueue.Answered<Answer>, NotDone | UnknownOutcome>((resume) => {
          if (refusal !== undefined) return resume(refusal)
          if (room.isShort()) return resume(Effect.fail(DiskSpace.storageFull))
          if (deciding.pending.length >= pendingMaxCount) {
            return resume(notDone("overloaded", `Cannot write: ${pendingMaxCount} commands wait already`))
          }
          const submitted = CommandQueue.submit<Command, Answer>(deciding, command, resume)
          ticket = submitted
          ring()
          return Effect.sync(() => CommandQueue.forget(deciding, submitted))
        })
        const overdue = Effect.suspend(
          (): Effect.Effect<never, NotDone | UnknownOutcome> =>
            ticket?.proposed === undefined
              ? notDone("no-quorum", `Cannot write: not proposed within ${timeoutMs} ms`)
              : Exit.fail(new UnknownOutcome({ message: `Not committed within ${timeoutMs} ms` }))
        )
        return Effect.timeoutOrElse(attempt, { duration: timeoutMs, orElse: () => overdue })
      }),
    readIndex: options.config.readLease === undefined ? readByRound : readUnderLease,
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

/**
 * The only shell of consensus on a node. It owns time, the log store and the transport, and performs the output of the
 * pure core. It takes turns: one synchronous function that steps the core with all waiting inputs, messages before
 * ticks, decides the waiting commands as one batch, hands out writes and messages, applies what is committed, and
 * answers. Fibers are left for what is slow: ticks, snapshots, reads from disk, the watch over the disk.
 */
import { Cause, Clock, Deferred, Effect, Exit, FiberSet, Random, type Scope } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { LogSpace } from "../../EventStore/LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import { SnapshotStore } from "../../EventStore/SnapshotStore.ts"
import type { Input } from "../core/Input.ts"
import type { LogReadRequest, Output, RoleChanged } from "../core/Output.ts"
import * as Reads from "../core/Reads.ts"
import { make as makeCore } from "../core/State.ts"
import { step } from "../core/step.ts"
import { Transport } from "../peers/Transport.ts"
import * as AppliedMarks from "./AppliedMarks.ts"
import * as Applier from "./Applier.ts"
import * as Bell from "./Bell.ts"
import * as CommandQueue from "./CommandQueue.ts"
import * as Condition from "./Condition.ts"
import * as DiskSpace from "./DiskSpace.ts"
import * as LeaderWatch from "./LeaderWatch.ts"
import { discard } from "./LogDiscarding.ts"
import * as LogWriter from "./LogWriter.ts"
import * as Measures from "./Measures.ts"
import * as MembershipRequests from "./MembershipRequests.ts"
import type { NotDone } from "./Outcome.ts"
import * as PeerSending from "./PeerSending.ts"
import type { RaftNode, RaftNodeOptions } from "./RaftNode.ts"
import { leavingHere, noRoom, pendingMaxCount, stoppedHere, suspectHere, tooManyWait, unconfirmed } from "./Refusals.ts"
import * as RepairTold from "./RepairTold.ts"
import { restoreAtStart } from "./restoreAtStart.ts"
import { settleNow } from "./Settle.ts"
import * as SnapshotLoop from "./SnapshotLoop.ts"
import * as StateWatch from "./StateWatch.ts"
import * as TakeReadIndex from "./takeReadIndex.ts"
import * as WaitingReads from "./WaitingReads.ts"

/** How often the core receives a tick. */
const tickIntervalMs = 10
/** How long one turn decides. The other commands wait for the next turn, so that messages, ticks and beats do not. */
const decideMaxNanos = 5_000_000n

/** Runs a node until the scope closes. */
export const make = Effect.fnUntraced(function* <Command, CommandResult>(
  options: RaftNodeOptions<Command, CommandResult>
): Effect.fn.Return<
  RaftNode<Command, CommandResult>,
  LogFailed | LogCorrupt,
  LogStore | LogSpace | SnapshotStore | Transport | Scope.Scope
> {
  const { machine } = options
  const store = yield* LogStore
  const space = yield* LogSpace
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const snapshots = yield* SnapshotStore
  const { marks = AppliedMarks.none } = options
  const restored = yield* restoreAtStart(machine, store, marks)
  const core = makeCore({ ...options, recovered: store.recovered, ...restored.from })
  const stopped = yield* Deferred.make<never, LogFailed | LogCorrupt>()
  const fork = yield* FiberSet.makeRuntime<never>()

  let inbox = { messages: [] as Array<Input>, others: [] as Array<Input>, ticks: [] as Array<Input> }
  const deciding = CommandQueue.make(machine)
  const reads = WaitingReads.make()
  /** For what a few fibers wait for. Each turn checks it again, and so does the end of this node's work. */
  const { changed, until } = Condition.make()
  /** The machine's applied index. It is ahead of the core's `lastApplied` until the core is told. */
  let appliedIndex = core.lastApplied
  /** The payload that was applied in this life. */
  let appliedBytes = restored.appliedBytes
  /** Before the first turn, and after the last one. */
  let isAtRest = true
  /** The refusal of every request, once this node has given up. */
  let refusal: Exit.Exit<never, NotDone> | undefined

  const monotonicNanos = () => clock.monotonicTimeNanosUnsafe()
  const monotonicNowMs = () => Number(monotonicNanos() / 1_000_000n)

  const ring = yield* Bell.make(() => {
    if (isAtRest) return
    try {
      turn()
    } catch (defect) {
      stop(Cause.die(defect))
    }
  })
  const put = (lane: keyof typeof inbox, input: Input) => {
    inbox[lane].push(input)
    ring()
  }

  /** Tells all waiting requests what is certain, and refuses new ones. */
  const giveUp = (why: Exit.Exit<never, NotDone>) => {
    refusal = why
    CommandQueue.stop(deciding, why)
    WaitingReads.refuseAll(reads, why)
    changed()
  }

  /** This node sends, writes and applies nothing more. */
  const rest = (): void => {
    isAtRest = true
    writer.end()
    applier.end()
    giveUp(stoppedHere)
  }

  /** A failed disk or a broken invariant ends this node. */
  const stop = (cause: Cause.Cause<LogFailed | LogCorrupt>): void => {
    rest()
    Deferred.doneUnsafe(stopped, Exit.failCause(cause))
  }
  const stopBy = (cause: Cause.Cause<LogFailed | LogCorrupt>) => Effect.sync(() => stop(cause))
  const measuring = Measures.make({ nowNanos: monotonicNanos, traces: options.traces, fork })
  const writer = LogWriter.make({
    store,
    nowMs: () => core.nowMs,
    syncing: measuring.syncing,
    onPersisted: (seq) => put("others", { _tag: "Persisted", seq }),
    onFailed: stop,
    fork
  })

  /** Reads entries from disk for a peer behind the window. It always reports to the core, which waits for it. */
  const readForPeer = ({ peer, fromIndex, toIndex, maxBytes }: LogReadRequest) =>
    store.read({ fromIndex, toIndex: Math.min(toIndex, core.log.lastIndex), maxBytes }).pipe(
      Effect.catchTag("LogCorrupt", (corrupt) => Effect.andThen(stopBy(Cause.fail(corrupt)), Effect.fail(corrupt))),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logWarning(`Cannot read the log from ${fromIndex} on for ${peer}`, cause), [])
      ),
      Effect.map((entries) => put("others", { _tag: "LogRead", peer, entries }))
    )

  const applyEntry = (entry: LogEntry): void => {
    machine.apply(entry)
    appliedIndex = entry.index
    states.applied(entry.index)
    CommandQueue.applied(deciding, entry)
  }

  const applier = Applier.make({
    core,
    machine,
    store,
    snapshots,
    monotonicNanos,
    applyEntry,
    appliedIndex: () => appliedIndex,
    onReplacing: () => states.replacing(),
    onReplaced: () => {
      CommandQueue.dropSpeculation(deciding)
      states.replaced()
    },
    onApplied: (index, payloadBytes) => {
      appliedIndex = index
      appliedBytes += payloadBytes
      options.onApplied?.()
      states.paused()
      snapshotting.onApplied(payloadBytes)
      run({ _tag: "Applied", index })
    },
    onFailed: stop,
    fork,
    ring
  })

  const snapshotting = yield* SnapshotLoop.make({
    core,
    machine,
    appliedIndex: () => appliedIndex,
    snapshotAfterBytes: options.config.snapshotAfterBytes,
    put: (input) => put("others", input),
    onReceived: (index) => states.snapshotReceived(index),
    onDefect: stopBy,
    fork
  })
  snapshotting.onApplied(restored.appliedBytes)
  const leaderWatch = LeaderWatch.make({ nodeId: options.nodeId, onLeader: measuring.leaderChanged, fork })
  const roleChanged = (to: RoleChanged): void => {
    leaderWatch.changed(to, core.lastTickMs ?? 0)
    if (to.role !== "leader") CommandQueue.dropSpeculation(deciding)
    if (to.leader !== undefined) options.onLeader?.(to.leader)
  }

  const peers = PeerSending.make({
    transport,
    onSend: measuring.sent,
    onUnsent: (peer) => put("others", { _tag: "PeerUnreachable", peer })
  })

  const perform = (output: Output): void => {
    if (output.write !== undefined) writer.add(output.write)
    for (const { to, message } of output.messages) peers.send(to, message)
    if (output.restore !== undefined) applier.add({ _tag: "Restore", mark: output.restore })
    if (output.apply !== undefined) applier.add({ _tag: "Apply", ...output.apply })
    snapshotting.perform(output)
    for (const read of output.readsReady) WaitingReads.ready(reads, read)
    for (const readId of output.readsRefused) WaitingReads.refuse(reads, readId, unconfirmed)
    for (const request of output.readLog) fork(readForPeer(request))
    if (output.configurationChanged !== undefined) {
      options.onConfiguration?.(output.configurationChanged.configuration)
    }
    if (output.standstill !== undefined) leaderWatch.stoodStill(output.standstill)
    if (output.repaired !== undefined)
      fork(Effect.catchCause(RepairTold.ended(store, output.repaired), (cause) => stopBy(cause)))
    if (output.roleChanged !== undefined) roleChanged(output.roleChanged)
  }

  const stepAndPerform = (input: Input): Output => {
    const output = step(core, input)
    measuring.stepped(core, output)
    perform(output)
    return output
  }

  /**
   * Steps the core and performs its output. A turn writes and applies: it comes, if this is not within one. A defect
   * within a turn ends the node by {@link ring}; outside of one it does so here, and the caller learns of it too.
   */
  const run = (input: Input): Output => {
    if (isInTurn) return stepAndPerform(input)
    try {
      const output = stepAndPerform(input)
      ring()
      return output
    } catch (defect) {
      stop(Cause.die(defect))
      throw defect
    }
  }

  const states = yield* StateWatch.make({
    nodeId: options.nodeId,
    core,
    machine,
    store,
    snapshots,
    addTask: (task) => {
      applier.add(task)
      ring()
    },
    transport,
    run,
    fork,
    appliedIndex: () => appliedIndex,
    until,
    takeSnapshot: snapshotting.takeAnew,
    sendSnapshot: snapshotting.sendTo,
    refuseReads: () => WaitingReads.refuseAll(reads, suspectHere),
    onFailure: stopBy
  })

  const room = yield* DiskSpace.make({
    isLeader: () => core.role._tag === "Leader",
    nowMs: () => core.lastTickMs ?? 0,
    handOver: () => run({ _tag: "TransferLeadership" })
  })

  const decide = (): void => {
    const endNanos = monotonicNanos() + decideMaxNanos
    const isOver = () => monotonicNanos() >= endNanos
    CommandQueue.decide(deciding, { core, run, reads, appliedIndex, nowMs: clock.currentTimeMillisUnsafe(), isOver })
  }

  let isInTurn = false
  const turn = (): void => {
    isInTurn = true
    const { messages, others, ticks } = inbox
    inbox = { messages: [], others: [], ticks: [] }
    for (const inputs of [messages, others, ticks]) for (const input of inputs) run(input)
    const isStalled = core.nowMs - (writer.beganMs() ?? core.nowMs) >= options.config.diskStallTimeoutMs
    if (isStalled && !core.diskStalled) run({ _tag: "DiskStalled" })
    room.consider()
    states.ticked()
    const nowMs = core.lastTickMs ?? 0
    CommandQueue.endOverdue(deciding, nowMs)
    WaitingReads.endOverdue(reads, nowMs)
    const readIds = WaitingReads.takeAsked(reads)
    if (readIds.length > 0) run({ _tag: "Read", readIds })
    decide()
    // Peers and the disk work while this node applies and answers. Clients come before notices.
    peers.flush()
    writer.flush()
    measuring.applying(() => appliedIndex, applier.work)
    WaitingReads.finish(reads, Reads.readableIndex(core))
    writer.flush()
    // A state that is not trusted is not kept in a snapshot.
    if (!states.isSuspect()) snapshotting.takeDue()
    if (deciding.pending.length > 0) ring()
    isInTurn = false
    changed()
  }

  const takeReadIndex = TakeReadIndex.make({
    reads,
    isLeased: options.config.readLease !== undefined,
    monotonicNowMs,
    run,
    ring
  })

  const tick = Effect.gen(function* () {
    const nowNanos = yield* Clock.monotonicTimeNanos
    measuring.ticked(nowNanos, tickIntervalMs)
    put("ticks", { _tag: "Tick", nowMs: Number(nowNanos / 1_000_000n), random: yield* Random.next })
    yield* Effect.sleep(tickIntervalMs)
  })

  const loops = [
    Effect.forever(tick),
    snapshotting.storeChunks,
    ...states.loops,
    AppliedMarks.follow({ marks, core, appliedIndex: () => appliedIndex, appliedBytes: () => appliedBytes }),
    Effect.andThen(room.follow, Effect.never),
    space.scrub,
    space.watch,
    snapshots.watch
  ]
  yield* Effect.all([...loops, Deferred.await(stopped)], { concurrency: "unbounded", discard: true }).pipe(
    Effect.catchCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : stopBy(cause))),
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() => Effect.sync(rest))
  yield* RepairTold.begun(core)
  isAtRest = false
  ring()

  const refusalOfWrite = (): Exit.Exit<never, NotDone> | undefined => {
    if (refusal !== undefined) return refusal
    if (room.isShort()) return noRoom
    return deciding.pending.length >= pendingMaxCount ? tooManyWait : undefined
  }

  return {
    submit: (command, timeoutMs, settle) => {
      const refused = refusalOfWrite()
      if (refused !== undefined) return settleNow(settle, refused)
      const ticket = CommandQueue.submit(deciding, command, settle, { nowMs: monotonicNowMs(), timeoutMs })
      ring()
      return () => CommandQueue.forget(deciding, ticket)
    },
    readIndex: (timeoutMs, settle) => {
      if (refusal === undefined) return takeReadIndex(monotonicNowMs() + timeoutMs, settle)
      return settleNow(settle, refusal)
    },
    receive: (from, message) => {
      measuring.received(from, message)
      put("messages", { _tag: "Receive", from, message })
    },
    peerDown: (peer) => put("others", { _tag: "PeerUnreachable", peer }),
    peerReachable: (peer) => {
      put("others", { _tag: "PeerReachable", peer })
      snapshotting.onReachable(peer)
    },
    states,
    changeMembers: (asked, timeoutMs) =>
      Effect.suspend(() => {
        const isRefused = () => refusal !== undefined
        return refusal ?? MembershipRequests.changeMembers({ core, run, until, isRefused }, asked, timeoutMs)
      }),
    transferLeadership: (to) =>
      Effect.suspend(() => refusal ?? Effect.succeed(MembershipRequests.transferLeadership({ core, run }, to))),
    handOver: Effect.suspend(() => (isAtRest ? Effect.void : MembershipRequests.handOver({ core, run, until }))),
    giveUp: () => giveUp(leavingHere),
    leaderlessSinceMs: leaderWatch.leaderlessSinceMs,
    discard: (throughIndex) =>
      discard(
        {
          core,
          space,
          run,
          appliedIndex: () => appliedIndex,
          isSuspect: states.isSuspect,
          takeSnapshot: snapshotting.takeNow,
          until
        },
        throughIndex
      ),
    appliedIndex: () => appliedIndex,
    isStorageShort: room.isShort,
    measures: measuring.measures,
    pendingCount: () => deciding.pending.length,
    core,
    stopped: Deferred.await(stopped)
  }
})

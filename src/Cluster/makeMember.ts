/**
 * Puts a member together: its machine, its orders and attempts, its reads, its drain and the feed, around the node that
 * runMember.ts runs until the scope closes.
 */

import { Clock, Deferred, Effect, Exit, FiberSet, Layer, type Scope } from "effect"
import { Directory } from "../EventStore/Directory.ts"
import { invariant } from "../Invariant.ts"
import * as KeyHistory from "../Local/KeyHistory.ts"
import { liftRecords } from "../Local/liftRecords.ts"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import { erasuresOf } from "../Machine/Erasure.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import { watch } from "../Machine/Watcher.ts"
import { membersOf } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { storageFull } from "../Raft/node/DiskSpace.ts"
import { NotDone, draining as notBegun, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { pendingMaxCount } from "../Raft/node/Refusals.ts"
import * as Removal from "../Raft/node/Removal.ts"
import { guarded, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
import { traceProtocol } from "../Raft/peers/Handshake.ts"
import { Transport } from "../Raft/peers/Transport.ts"
import * as Tracing from "../Tracing.ts"
import * as Activation from "./Activation.ts"
import * as Attempts from "./Attempts.ts"
import * as CommandDurations from "./CommandDurations.ts"
import * as Confirmation from "./Confirmation.ts"
import * as Drain from "./Drain.ts"
import * as Erasing from "./Erasing.ts"
import * as ErasureProgress from "./ErasureProgress.ts"
import * as Feed from "./Feed.ts"
import * as Forwarding from "./Forwarding.ts"
import { takeIn } from "./Joining.ts"
import { Member, type MemberFailure, type MemberOptions } from "./Member.ts"
import type { Order, OrderAnswer } from "./Order.ts"
import * as Orders from "./Orders.ts"
import * as OrdersHere from "./OrdersHere.ts"
import { readOrder } from "./readOrder.ts"
import * as runMember from "./runMember.ts"
import * as Timeouts from "./Timeouts.ts"
import * as VersionGate from "./VersionGate.ts"

const noRoom = Exit.fail(storageFull)

const make = Effect.fnUntraced(function* (
  options: MemberOptions
): Effect.fn.Return<Member["Service"], never, Directory | Transport | Scope.Scope> {
  const { self } = options
  const directory = yield* Directory
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const tracing = yield* Tracing.current(clock)
  const fork = yield* FiberSet.makeRuntime<Directory | Transport>()
  const stopped = yield* Deferred.make<never, MemberFailure>()
  const onThrown: Machine.OnThrown = (thrown, command) =>
    void fork(Effect.logError(`A ${command} could not be decided, and did nothing`, thrown))
  const { formats, models, policy, procedures } = options
  const machine = Machine.make(models, procedures, onThrown, undefined, formats, policy)
  const history = Feed.make()
  const changes = Condition.make()
  const running = runMember.make()
  const node = () => running.node
  const isRemoved = () => running.removal?.isRemoved() === true
  /** A defect in a request's callback ends this node, as a defect in its loops does. */
  const forkLoop = (effect: Effect.Effect<void>) =>
    fork(Effect.catchCause(effect, (cause) => Deferred.failCause(stopped, cause)))

  const timeouts = Timeouts.make({ clock, fork: forkLoop })
  const durations = CommandDurations.make({
    nowNanos: () => clock.monotonicTimeNanosUnsafe(),
    isModel: (name) => machine.applied.descriptors.has(name),
    isDeclared: (name) => machine.procedures.has(name)
  })
  const keys = KeyHistory.make({
    machine,
    fork,
    read: (index) => transactionAt(history.feed, index),
    unknown: ({ message }) => new UnknownOutcome({ message })
  })
  /** Another node leads, or this node was removed or stops: all that waits looks again. */
  const lookAgain = (): void => {
    attempts.leadershipChanged()
    changes.changed()
  }
  const draining = Drain.make({
    begun: changes.changed,
    handOver: Effect.suspend(() => node()?.handOver ?? Effect.void),
    giveUp: () => {
      node()?.giveUp()
      forwarding.giveUp()
      lookAgain()
    },
    fork: forkLoop
  })
  const refused = (): NotDone | undefined => {
    if (isRemoved()) return Removal.removed
    return draining.isStopping() ? notBegun : undefined
  }
  const here = OrdersHere.make({
    node: () => (running.isChecked ? running.node : undefined),
    draining,
    keys,
    fork,
    announced: (announce) => activation.announced(announce),
    activateWithout: (order) => activation.activateWithout(order),
    announcedErased: (announce) => progress.announced(announce),
    erasedMembers: () => progress.members(),
    erasedAt: (model, id) => erasuresOf(machine.applied).erasedAt(model, id)
  })
  /** This node carries out orders of peers itself or refuses them: an order is forwarded only once. */
  const forwarding = yield* Forwarding.make<Order, OrderAnswer>({
    transport,
    life: directory.life,
    read: readOrder,
    submit: (order, settle) => here.carryOut(order, Attempts.answerTimeoutMs, settle),
    timeouts,
    fork
  })
  const send = (to: NodeId, order: Order, timeoutMs: number): Effect.Effect<void> =>
    Effect.ignore(
      outcomeOf<OrderAnswer, NotDone | UnknownOutcome>((settle) => forwarding.forward(to, order, timeoutMs, settle))
    )
  const activation = Activation.make({
    nodeId: self.nodeId,
    models: options.models,
    dropped: options.dropped ?? [],
    formats: machine.formats,
    tables: () => machine.applied,
    node,
    leader: () => runMember.leaderOf(running),
    send,
    nowMs: timeouts.nowMs
  })
  const erasing = Erasing.make({ tables: () => machine.applied, until: changes.until, changed: changes.changed })
  const progress = ErasureProgress.make({
    nodeId: self.nodeId,
    tables: () => machine.applied,
    erasedThrough: erasing.erasing.erasedThrough,
    node,
    leader: () => runMember.leaderOf(running),
    send
  })
  const lifting = liftRecords({
    models: options.models.filter(({ mode }) => mode !== "local"),
    dropped: options.dropped ?? [],
    tables: () => machine.applied,
    mayDecide: () =>
      runMember.leaderOf(running) === self.nodeId && !draining.isDraining() && node()?.isStorageShort() !== true,
    submit: (command) =>
      outcomeOf<unknown, NotDone | UnknownOutcome>(
        (settle) =>
          node()?.submit(command, Attempts.answerTimeoutMs, settle) ?? settleNow(settle, OrdersHere.notRunning)
      )
  })
  const attempts = Attempts.make({
    timeouts,
    leadership: {
      // Until the records are checked, requests wait as they wait for a leader.
      leader: () => (running.isChecked ? runMember.leaderOf(running) : undefined),
      leaderlessSinceMs: () => node()?.leaderlessSinceMs(),
      refused
    }
  })
  const giver = AssignedKey.giver({ life: AssignedKey.lifeOf(self, directory.life), isOfNode: false })
  const orders = Orders.make({
    nodeId: self.nodeId,
    here,
    forwarding,
    attempts,
    draining,
    keys,
    refused,
    giveKey: (command) => giver(command, committedIndexOf(node())),
    tracing,
    knowsTraces: (leader) => (transport.connected().get(leader)?.protocolMax ?? 0) >= traceProtocol,
    versionOf: (model) => machine.applied.descriptors.get(model)?.version,
    isOpen: policy === undefined
  })
  const confirming = Confirmation.make({
    nowMs: timeouts.nowMs,
    readIndex: (settle) => attempts.untilAnswered(reading, settle),
    onConfirmed: changes.changed
  })
  const reading: Attempts.Request<number, NotDone> = {
    isRepeatable: false,
    attempt: (_, timeoutMs, settle) => node()?.readIndex(timeoutMs, settle) ?? settleNow(settle, OrdersHere.notRunning)
  }

  const taking = {
    clusterId: () => running.clusterId,
    members: () => {
      const core = node()?.core
      return core === undefined ? [] : membersOf(core.configuration)
    },
    administer: orders.administer
  }
  const run = runMember.run(running, {
    ...options,
    machine,
    forwarding,
    durations,
    tracing,
    feed: {
      open: history.open,
      held: history.feed.held,
      advanced: () => {
        history.advanced()
        changes.changed()
      }
    },
    // The requests that wait look again after the turn in which the leader changed, and not in the middle of it.
    onLeadership: () => forkLoop(Effect.andThen(Effect.yieldNow, Effect.sync(lookAgain))),
    beside: Effect.raceAllFirst([confirming.first, activation.follow, lifting, progress.follow]),
    onJoin: ({ answer, hello }) => void fork(Effect.map(takeIn(taking, hello), answer)),
    erase: erasing.follow,
    end: (error) => Deferred.fail(stopped, error),
    fork
  })
  const ended = Effect.sync(() => {
    running.node = undefined
  })
  fork(
    Effect.catchCause(Effect.raceFirst(Effect.ensuring(run, ended), directory.watch), (cause) =>
      Deferred.failCause(stopped, cause)
    )
  )
  // The loops that would answer end with the scope, so requests that still wait are told what is certain.
  yield* Effect.addFinalizer(() => Effect.sync(draining.giveUp))

  const onDefect = (defect: unknown) =>
    void fork(Effect.logError("A handler of an outcome failed with a defect", defect))
  const gate = VersionGate.make({
    tables: () => machine.applied,
    keys,
    readIndex: confirming.readIndexUnsafe,
    submit: orders.submit
  })
  const submitUnsafe: Member["Service"]["submitUnsafe"] = (command, settle) => {
    const told = durations.asking(command, settle)
    if (!draining.isDraining() && node()?.isStorageShort() === true) return settleNow(told, noRoom)
    return gate(command, guarded(told, onDefect))
  }

  return Member.of({
    self,
    policy,
    submitUnsafe,
    submit: (command) => outcomeOf((settle) => submitUnsafe(command, settle)),
    inquire: orders.inquire,
    administer: orders.administer,
    readIndexUnsafe: (settle) => confirming.readIndexUnsafe(guarded(settle, onDefect)),
    readIndex: confirming.readIndex,
    staleMs: confirming.staleMs,
    until: changes.until,
    isRemoved,
    drain: draining.drain,
    isDraining: draining.isDraining,
    isStopping: draining.isStopping,
    get tables() {
      return machine.applied
    },
    watch: watch(machine.watchers),
    erasing: erasing.erasing,
    feed: history.feed,
    clusterId: () => running.clusterId,
    node,
    snapshots: () => running.snapshots,
    commandDurations: durations.all,
    queues: () => [
      { queue: "commands", count: node()?.pendingCount() ?? 0, maxCount: pendingMaxCount },
      { queue: "forwarded", count: forwarding.waitingCount(), maxCount: Forwarding.forwardedMaxCount }
    ],
    diskUsage: directory.usage,
    leader: () => runMember.leaderOf(running),
    stopped: Deferred.await(stopped)
  })
})

/** The highest index that this node knows to be committed. The leader knows at least this one. */
const committedIndexOf = (node: OrdersHere.Node | undefined): number =>
  node === undefined ? 0 : Math.max(node.core.commitIndex, node.core.leaderCommit)

/** The transaction of an applied entry; undefined if this node does not hold it any more. */
const transactionAt = (feed: Feed.Feed, index: number): Effect.Effect<Transaction | undefined, NotDone> =>
  feed.entry(index).pipe(
    Effect.map((entry) => {
      if (entry === undefined) return undefined
      invariant(entry.transaction !== undefined, `entry ${index} was read as that of a key and is no transaction`)
      return entry.transaction
    }),
    Effect.mapError(
      ({ message }) => new NotDone({ reason: "no-quorum", message: `Cannot tell what was done: ${message}` })
    )
  )

/** Runs a member, from forming on, until its scope closes. */
export const layer = (options: MemberOptions): Layer.Layer<Member, never, Directory | Transport> =>
  Layer.effect(Member, make(options))

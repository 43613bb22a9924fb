/**
 * Runs a member: it forms or opens its log, runs consensus, and carries orders to the leader, until its scope closes.
 */

import { Clock, Context, Deferred, Effect, FiberSet, Layer, type Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Directory } from "../EventStore/Directory.ts"
import { LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import { type Command, keyedOf } from "../Machine/Command.ts"
import { type CommandResult, holdsForCopies, type Logged } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Keyed } from "../Machine/Sessions.ts"
import { type Configuration, empty, membersOf } from "../Raft/core/Configuration.ts"
import * as Membership from "../Raft/core/Membership.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import { defaults } from "../Raft/core/RaftConfig.ts"
import type { Administered } from "../Raft/node/Administration.ts"
import { storageFull } from "../Raft/node/DiskSpace.ts"
import * as MembershipRequests from "../Raft/node/MembershipRequests.ts"
import { NotDone, draining as notBegun, UnknownOutcome } from "../Raft/node/Outcome.ts"
import * as RaftNode from "../Raft/node/RaftNode.ts"
import * as Removal from "../Raft/node/Removal.ts"
import * as Requests from "../Raft/node/Requests.ts"
import { checkNotEmptied, configurationsOf, firstEntryOf } from "../Raft/node/recoverConfigurations.ts"
import { Transport } from "../Raft/peers/Transport.ts"
import * as Attempts from "./Attempts.ts"
import * as Confirmation from "./Confirmation.ts"
import * as Drain from "./Drain.ts"
import * as Feed from "./Feed.ts"
import { formed } from "./Forming.ts"
import * as Forwarding from "./Forwarding.ts"
import * as KeyHistory from "./KeyHistory.ts"
import * as LeadershipHandoff from "./LeadershipHandoff.ts"
import { Member, type MemberFailure, type MemberOptions } from "./Member.ts"
import type { Order, OrderAnswer } from "./Order.ts"
import { readOrder } from "./OrderSchema.ts"
import * as PeerInbox from "./PeerInbox.ts"
import * as ReplicatedMachine from "./ReplicatedMachine.ts"

type Node = RaftNode.RaftNode<Command, CommandResult | Logged>

type Failure = NotDone | UnknownOutcome
type Decided = Extract<OrderAnswer, { readonly _tag: "Decided" }>

/** Adds the key under which a client can ask for the outcome. */
const underKey = ({ message }: UnknownOutcome, command: Command): UnknownOutcome => {
  const keyed = keyedOf(command)
  invariant(keyed !== undefined, "a command was given no key")
  return new UnknownOutcome({ message, key: keyed.key })
}

/** How a keyed command is sent: it is idempotent. */
const copies = { isRepeatable: true, holdsForCopies: ({ answer }: Decided) => holdsForCopies(answer) }

const administered = (
  done: { readonly _tag: "Done" } | { readonly _tag: "Started" } | Extract<Administered, { readonly _tag: "Refused" }>
): OrderAnswer => ({ _tag: "Administered", administered: done._tag === "Refused" ? done : { _tag: "Done" } })

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
  const clock = yield* Clock.Clock
  const machine = Machine.make(options.models, options.procedures, (thrown, command) =>
    fork(Effect.logError(`A ${command} could not be decided, and did nothing`, thrown))
  )
  const history = Feed.make()
  const recalling = KeyHistory.make({ feed: history.feed, machine })
  const newId = options.newId ?? (() => uuidV7Unsafe())
  let removal: Removal.Removal | undefined
  let clusterId: string | undefined
  let node: Node | undefined

  const openLog = (options: { readonly mustExist: boolean }) =>
    Effect.map(Layer.build(directory.log("log", options)), (context) => Context.get(context, LogStore))

  const run = Effect.gen(function* () {
    clusterId = yield* formed(self, openLog, options.join)
    const log = yield* Layer.build(directory.log("log", { mustExist: true, clusterId }))
    const snapshots = yield* Layer.build(directory.snapshots)
    const store = Context.get(log, LogStore)
    yield* checkNotEmptied(store, { nodeId: self.nodeId, clusterId })
    const configurations = yield* configurationsOf(store)
    const firstEntry = yield* firstEntryOf(store)
    const announce = (configuration: Configuration) =>
      transport.announce({ clusterId: clusterId ?? null, members: membersOf(configuration) })
    const known = configurations[configurations.length - 1]?.configuration ?? empty
    if (membersOf(known).length === 0 && options.join !== undefined) {
      // The cluster has taken this node in, and its log names no members yet. The member that took it in does.
      yield* transport.announce({ clusterId, members: (yield* options.join(self, clusterId)).members })
    } else yield* announce(known)
    const running = yield* RaftNode.make({
      nodeId: self.nodeId,
      instanceId: self.instanceId,
      life: directory.life,
      configurations,
      config: { ...defaults, ...options.config },
      machine: ReplicatedMachine.make(machine, {
        newId,
        monotonicMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      }),
      onConfiguration: (configuration) => fork(announce(configuration)),
      onLeader: (leader) => forwarding.leaderChanged(leader),
      onApplied: () => {
        history.advanced()
        removal?.consider()
      }
    }).pipe(Effect.provide(Context.merge(log, snapshots)))
    node = running
    const belonging = Removal.make({ core: running.core, fork, end: (error) => Deferred.fail(stopped, error) })
    removal = belonging
    history.open({
      log: running.core.log,
      // Damage ends this node, whichever reader finds it.
      read: (range) => Effect.tapErrorTag(store.read(range), "LogCorrupt", (error) => Deferred.fail(stopped, error)),
      appliedIndex: running.appliedIndex
    })
    const peering = PeerInbox.listen({
      clusterId,
      firstEntry,
      configuration: () => running.core.configuration,
      excludedAt: (peer) => Membership.excludedAt(running.core, peer),
      onNotAMember: belonging.told,
      onDown: (peer) => {
        running.peerDown(peer)
        forwarding.peerDown(peer)
      },
      onReachable: running.peerReachable,
      onMessage: running.receive,
      onState: running.states.received,
      onForward: (from, message) => forwarding.receive(from, message)
    })
    return yield* Effect.raceAllFirst([running.stopped, peering, confirming.first])
  }).pipe(
    Effect.scoped,
    Effect.ensuring(
      Effect.sync(() => {
        node = undefined
      })
    )
  )

  const draining = Drain.make({
    handOver: Effect.suspend(() => node?.handOver ?? Effect.void),
    giveUp: () => {
      node?.giveUp()
      forwarding.giveUp()
    },
    fork
  })

  const inquire = Effect.fnUntraced(function* (running: Node, keyed: Keyed, timeoutMs: number) {
    const index = yield* Requests.readIndex(running, timeoutMs)
    return { _tag: "Inquired", index, standing: yield* recalling.keyStatus(keyed) } as const
  })

  /** The highest index that this node knows to be committed. The leader knows at least this one. */
  const committedIndex = (): number => {
    const core = node?.core
    return core === undefined ? 0 : Math.max(core.commitIndex, core.leaderCommit)
  }

  const giveKey = AssignedKey.giver({ life: AssignedKey.lifeOf(self, directory.life), isOfNode: false })

  const handOn = LeadershipHandoff.make()

  const carryOut = (running: Node, order: Order, timeoutMs: number): Effect.Effect<OrderAnswer, Failure> => {
    switch (order._tag) {
      case "Decide": {
        const { command } = order
        const decided = Effect.flatMap(Requests.submit(running, command, timeoutMs), recalling.told).pipe(
          Effect.tap(({ answer }) => handOn(running, answer)),
          Effect.map((answered) => ({ _tag: "Decided", ...answered }) as const)
        )
        const keyed = keyedOf(command)
        return keyed === undefined ? decided : recalling.underWay(keyed, decided)
      }
      case "Inquire":
        return inquire(running, order.keyed, timeoutMs)
      case "ChangeMembers":
        return Effect.map(
          Effect.tap(running.changeMembers(order, timeoutMs), (done) => MembershipRequests.note(order, done)),
          administered
        )
      case "TransferLeadership":
        return Effect.map(
          Effect.tap(running.transferLeadership(order.to), (done) => MembershipRequests.note(order, done)),
          administered
        )
    }
  }

  const orderHere = (order: Order, timeoutMs: number): Effect.Effect<OrderAnswer, Failure> =>
    Effect.suspend(() => {
      if (draining.isDraining()) return Effect.fail(notBegun)
      if (node === undefined) return Effect.fail(starting)
      return draining.attempted(carryOut(node, order, timeoutMs))
    })

  /** This node carries out orders of peers itself or refuses them: an order is forwarded only once. */
  const forwarding: Forwarding.Forwarding<Order, OrderAnswer> = Forwarding.make({
    transport,
    life: directory.life,
    read: readOrder,
    submit: (order: Order) => orderHere(order, Attempts.answerTimeoutMs),
    fork
  })

  type Attempt<A> = (leader: NodeId, timeoutMs: number) => Effect.Effect<A, Failure>

  const attemptOf =
    (order: Order): Attempt<OrderAnswer> =>
    (leader, timeoutMs) =>
      leader === self.nodeId
        ? orderHere(order, timeoutMs)
        : draining.attempted(forwarding.forward(leader, order, timeoutMs))

  const give = <A>(
    attempt: Attempt<A>,
    how: { readonly isRepeatable: boolean; readonly holdsForCopies?: (answer: A) => boolean }
  ): Effect.Effect<A, Failure> =>
    Effect.suspend(() =>
      draining.isDraining()
        ? Effect.fail(refused() ?? notBegun)
        : draining.given(Attempts.untilAnswered({ leadership, attempt, ...how }))
    )

  const decide =
    (command: Command): Attempt<Decided> =>
    (leader, timeoutMs) =>
      attemptOf({ _tag: "Decide", command })(leader, timeoutMs).pipe(
        Effect.mapError((error) => (error._tag === "UnknownOutcome" ? underKey(error, command) : error)),
        Effect.map((answer) => {
          invariant(answer._tag === "Decided", "a command was not answered as one")
          return answer
        })
      )

  /**
   * Gives each attempt a new key, as recent as this node's knowledge of the log. A node that has just started knows
   * little, and the leader may take its key for an expired one.
   */
  const decideAnew =
    (asked: Command): Attempt<Decided> =>
    (leader, timeoutMs) =>
      Effect.suspend(() => decide(giveKey(asked, committedIndex()))(leader, timeoutMs)).pipe(
        Effect.filterOrFail(
          ({ answer }) => answer._tag !== "Rejected" || answer.rejection._tag !== "KeysExhausted",
          () => keyTooOld
        )
      )

  const isRemoved = () => removal?.isRemoved() === true

  const refused = (): NotDone | undefined => {
    if (isRemoved()) return Removal.removed
    return draining.isStopping() ? notBegun : undefined
  }

  const leadership: Attempts.Leadership = {
    leader: () => leaderOf(node),
    leaderlessSinceMs: () => node?.leaderlessSinceMs(),
    refused
  }

  const confirming = Confirmation.make(
    Confirmation.readIndexOf(leadership, (timeoutMs) =>
      node === undefined ? Effect.fail(starting) : Requests.readIndex(node, timeoutMs)
    )
  )

  fork(Effect.catchCause(Effect.raceFirst(run, directory.watch), (cause) => Deferred.failCause(stopped, cause)))

  return Member.of({
    self,
    submit: (asked) =>
      Effect.suspend(() => {
        if (!draining.isDraining() && node?.isStorageShort() === true) return Effect.fail(storageFull)
        // The client does not know this key. If a second copy used it, the leader could refuse that copy, and the
        // answer would be "not done" before the first copy is done.
        if (asked.key === undefined) return give(decideAnew(asked), { isRepeatable: false })
        return recalling.underWay({ ...asked, key: asked.key }, give(decide(asked), copies))
      }),
    inquire: (keyed) =>
      Effect.suspend(() => {
        const isUnderWay = recalling.isUnderWay(keyed)
        return give(attemptOf({ _tag: "Inquire", keyed }), { isRepeatable: true }).pipe(
          // An inquiry changes nothing, so an unknown outcome of it is the same as not asking.
          Effect.catchTag("UnknownOutcome", ({ message }) =>
            Effect.fail(new NotDone({ reason: "no-quorum", message }))
          ),
          Effect.map((answer) => {
            invariant(answer._tag === "Inquired", "an inquiry was not answered as one")
            const { index, standing: status } = answer
            return { index, status: status._tag === "Absent" && isUnderWay ? pending : status }
          })
        )
      }),
    administer: (order) =>
      Effect.map(give(attemptOf(order), { isRepeatable: false }), (answer) => {
        invariant(answer._tag === "Administered", "a change of the cluster was not answered as one")
        return answer.administered
      }),
    readIndex: confirming.readIndex,
    staleMs: confirming.staleMs,
    isRemoved,
    drain: draining.drain,
    isDraining: draining.isDraining,
    isStopping: draining.isStopping,
    get tables() {
      return machine.applied
    },
    feed: history.feed,
    clusterId: () => clusterId,
    node: () => node,
    leader: () => leaderOf(node),
    stopped: Deferred.await(stopped)
  })
})

const pending: KeyStatus = { _tag: "Pending" }
const starting = new NotDone({ reason: "no-quorum", message: "This node is not a running member yet" })

const keyTooOld = new NotDone({
  reason: "no-quorum",
  message: "Cannot write: this node knows too little of the log yet"
})

/** Runs a member, from forming on, until its scope closes. */
export const layer = (options: MemberOptions): Layer.Layer<Member, never, Directory | Transport> =>
  Layer.effect(Member, make(options))

/**
 * One member of a cluster, as the rooms above see it: it forms the cluster once, then agrees with it, and hands to the
 * leader what it cannot decide itself. Not consensus (RaftNode.ts) and not HTTP.
 */
import { Clock, Context, Deferred, Effect, FiberSet, Layer, type Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Directory, type DirectoryMismatch } from "../EventStore/Directory.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import { type Command, keyedOf } from "../Machine/Command.ts"
import { type CommandResult, holdsForCopies, type Logged } from "../Machine/CommandResult.ts"
import * as Machine from "../Machine/Machine.ts"
import type { Procedures } from "../Machine/Procedure.ts"
import type { Keyed } from "../Machine/Sessions.ts"
import type { Standing } from "../Machine/Standing.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model.ts"
import * as Administering from "./Administering.ts"
import * as Attempts from "./Attempts.ts"
import { type Configuration, empty, membersOf } from "./Configuration.ts"
import * as Confirming from "./Confirming.ts"
import type * as Deciding from "./Deciding.ts"
import * as Draining from "./Draining.ts"
import * as Feed from "./Feed.ts"
import { type FormingRefused, formed, type Join } from "./Formed.ts"
import * as Forwarding from "./Forwarding.ts"
import * as HandingOn from "./HandingOn.ts"
import * as Membership from "./Membership.ts"
import type { NodeId } from "./Message.ts"
import type { Administered, Administration, Order, OrderAnswer } from "./Order.ts"
import { readOrder } from "./OrderSchema.ts"
import { NotDone, UnknownOutcome } from "./Outcome.ts"
import * as Peering from "./Peering.ts"
import { defaults, type RaftConfig } from "./RaftConfig.ts"
import * as RaftNode from "./RaftNode.ts"
import * as Recalling from "./Recalling.ts"
import { checkNotEmptied, configurationsOf, firstEntryOf } from "./Recovering.ts"
import * as Removal from "./Removal.ts"
import * as ReplicatedMachine from "./ReplicatedMachine.ts"
import { storageFull } from "./RoomWatch.ts"
import { type Self, Transport } from "./Transport.ts"

type Node = RaftNode.RaftNode<Command, CommandResult | Logged>
type Answered = Deciding.Answered<CommandResult>

/** Why a member ended: its disk, its files, or a cluster that will not have it, or has it no longer. */
export type MemberFailure = LogFailed | LogCorrupt | DirectoryMismatch | FormingRefused | Removal.MemberRemoved

export class Member extends Context.Service<
  Member,
  {
    readonly self: Self
    /**
     * Decides a command on the leader, wherever it is. `NotDone` is certain, of this attempt. One without a key is given
     * one, which `UnknownOutcome` tells.
     */
    readonly submit: (command: Command) => Effect.Effect<Answered, NotDone | UnknownOutcome>
    /** What became of a key, linearizably: as the leader knows it, or as it is under way here. */
    readonly inquire: (keyed: Keyed) => Effect.Effect<{ readonly index: number; readonly standing: Standing }, NotDone>
    /** Waits until this node's tables are linearizable for a read that begins now (diss. 6.4); gives the index. */
    readonly readIndex: Effect.Effect<number, NotDone>
    /**
     * How long ago, at most, what reflects `index` was the newest there was; undefined until a quorum has confirmed, since
     * this node started, an index up to it: until then it may be older than what was read here before.
     */
    readonly staleMs: (index: number, nowMs: number) => number | undefined
    /** Whether this node was removed from its cluster: it takes and serves nothing, and ends soon. */
    readonly isRemoved: () => boolean
    /**
     * Takes no more commands, waits until those under way here are answered, and hands leadership over. Reads go on. Within
     * a few seconds all who wait are told: of what may be done, that its outcome is unknown.
     */
    readonly drain: Effect.Effect<void>
    readonly isDraining: () => boolean
    /** Whether whoever waits here, for whatever, is to be answered at once: this node is about to go. */
    readonly hasGivenUp: () => boolean
    /** What is applied here. It changes with every entry: read it at once, or clone it. */
    readonly tables: Tables
    /** The history of what is applied here, to be followed. */
    readonly feed: Feed.Feed
    /** Changes the members, or who leads: carried out by the leader, wherever it is. `NotDone` is certain. */
    readonly administer: (order: Administration) => Effect.Effect<Administered, NotDone | UnknownOutcome>
    /** The cluster, once this node is formed; the node, once it runs. */
    readonly clusterId: () => string | undefined
    readonly node: () => Node | undefined
    readonly leader: () => NodeId | undefined
    /** Ends with what stopped this member. */
    readonly stopped: Effect.Effect<never, MemberFailure>
  }
>()("lithair/Raft/Member") {}

export interface MemberOptions {
  readonly self: Self
  readonly models: ReadonlyArray<Descriptor>
  /** What declared commands do while this node leads. */
  readonly procedures?: Procedures
  /** What is not the default. */
  readonly config?: Partial<RaftConfig>
  /** Ids of records that come without one; UUIDv7 unless given. */
  readonly newId?: () => string
  /** How this node, while it is empty, asks a running cluster to take it in; without it, it forms one with its peers. */
  readonly join?: Join
}

type Failure = NotDone | UnknownOutcome
type Decided = Extract<OrderAnswer, { readonly _tag: "Decided" }>

/** Says by which key the outcome can be asked for. */
const underKey = ({ message }: UnknownOutcome, command: Command): UnknownOutcome => {
  const keyed = keyedOf(command)
  invariant(keyed !== undefined, "a command was given no key")
  return new UnknownOutcome({ message, key: keyed.key })
}

/** How a keyed command is given: twice is once. */
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
  const recalling = Recalling.make({ feed: history.feed, machine })
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
      // Taken in, but told of nobody yet: until the log says who the members are, whoever took it in does.
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
      // Damage ends this node, whoever meets it.
      read: (range) => Effect.tapErrorTag(store.read(range), "LogCorrupt", (error) => Deferred.fail(stopped, error)),
      appliedIndex: running.appliedIndex
    })
    const peering = Peering.listen({
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

  const draining = Draining.make({
    handOver: Effect.suspend(() => node?.handOver ?? Effect.void),
    giveUp: () => {
      node?.giveUp()
      forwarding.giveUp()
    },
    fork
  })

  const inquire = Effect.fnUntraced(function* (running: Node, keyed: Keyed, timeoutMs: number) {
    const index = yield* Confirming.withinTime(running.readIndex, timeoutMs)
    return { _tag: "Inquired", index, standing: yield* recalling.standing(keyed) } as const
  })

  /** What this node knows to be committed; the leader knows no less. */
  const committedIndex = (): number => {
    const core = node?.core
    return core === undefined ? 0 : Math.max(core.commitIndex, core.leaderCommit)
  }

  const giveKey = AssignedKey.giver({ life: AssignedKey.lifeOf(self, directory.life), isOfNode: false })

  const handOn = HandingOn.make()

  const carryOut = (running: Node, order: Order, timeoutMs: number): Effect.Effect<OrderAnswer, Failure> => {
    switch (order._tag) {
      case "Decide": {
        const { command } = order
        const decided = Effect.flatMap(running.submit(command, timeoutMs), recalling.told).pipe(
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
          Effect.tap(running.changeMembers(order, timeoutMs), (done) => Administering.note(order, done)),
          administered
        )
      case "TransferLeadership":
        return Effect.map(
          Effect.tap(running.transferLeadership(order.to), (done) => Administering.note(order, done)),
          administered
        )
    }
  }

  const orderHere = (order: Order, timeoutMs: number): Effect.Effect<OrderAnswer, Failure> =>
    Effect.suspend(() => {
      if (draining.isDraining()) return Effect.fail(Attempts.leaving)
      if (node === undefined) return Effect.fail(starting)
      return draining.attempted(carryOut(node, order, timeoutMs))
    })

  /** Orders of peers are carried out here or not at all: an order is forwarded once. */
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
        ? Effect.fail(refused() ?? Attempts.leaving)
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
   * Each attempt has a key of its own, as new as what is known here by then: a node that has just started knows little,
   * and its key may be one that the leader takes for forgotten.
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
    return draining.hasGivenUp() ? Attempts.leaving : undefined
  }

  const leadership: Attempts.Leadership = {
    leader: () => leaderOf(node),
    leaderlessSinceMs: () => node?.leaderlessSinceMs(),
    refused
  }

  const confirming = Confirming.make(Confirming.readIndexOf(leadership, () => node?.readIndex ?? Effect.fail(starting)))

  fork(Effect.catchCause(Effect.raceFirst(run, directory.watch), (cause) => Deferred.failCause(stopped, cause)))

  return Member.of({
    self,
    submit: (asked) =>
      Effect.suspend(() => {
        if (!draining.isDraining() && node?.isStorageShort() === true) return Effect.fail(storageFull)
        // With a key that only this node knows a second copy could be refused, and told so, before the first is done.
        if (asked.key === undefined) return give(decideAnew(asked), { isRepeatable: false })
        return recalling.underWay({ ...asked, key: asked.key }, give(decide(asked), copies))
      }),
    inquire: (keyed) =>
      Effect.suspend(() => {
        const isUnderWay = recalling.isUnderWay(keyed)
        return give(attemptOf({ _tag: "Inquire", keyed }), { isRepeatable: true }).pipe(
          // It changes nothing: whatever became of it, it is as if it had not been asked.
          Effect.catchTag("UnknownOutcome", ({ message }) =>
            Effect.fail(new NotDone({ reason: "no-quorum", message }))
          ),
          Effect.map((answer) => {
            invariant(answer._tag === "Inquired", "an inquiry was not answered as one")
            const { index, standing } = answer
            return { index, standing: standing._tag === "Absent" && isUnderWay ? pending : standing }
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
    hasGivenUp: draining.hasGivenUp,
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

const pending: Standing = { _tag: "Pending" }
const starting = new NotDone({ reason: "no-quorum", message: "This node is not a running member yet" })

const keyTooOld = new NotDone({
  reason: "no-quorum",
  message: "Cannot write: this node knows too little of the log yet"
})

/** Forms, agrees and forwards until its scope closes. */
export const layer = (options: MemberOptions): Layer.Layer<Member, never, Directory | Transport> =>
  Layer.effect(Member, make(options))

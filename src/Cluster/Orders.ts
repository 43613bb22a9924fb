/**
 * Sends the orders of this node's clients to the leader, this node or another one, until one attempt is answered.
 * OrdersHere.ts carries them out.
 */
import { Effect, Exit } from "effect"
import { type KeyHistory, underKey } from "../Local/KeyHistory.ts"
import { type Command, type Keyed, keyedOf, withVersions } from "../Machine/Command.ts"
import { type CommandResult, holdsForCopies } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import { NotDone, draining as notBegun, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, endingBy, type Forget, outcomeOf, type Settle, settleNow } from "../Raft/node/Settle.ts"
import type { Tracing } from "../Tracing.ts"
import type * as Attempts from "./Attempts.ts"
import type { Draining } from "./Drain.ts"
import type { Forwarding } from "./Forwarding.ts"
import * as ForwardSpan from "./ForwardSpan.ts"
import type { Administer, AdministerResult, Order, OrderAnswer } from "./Order.ts"
import type { OrdersHere } from "./OrdersHere.ts"

type Failure = NotDone | UnknownOutcome
type Attempt<A> = Attempts.Request<A, Failure>["attempt"]

export interface Orders {
  /** Decides a command on the leader. Without a key of its client it gets a new one for each attempt. */
  readonly submit: (command: Command, settle: Settle<Answered<CommandResult>, Failure>) => Forget
  readonly inquire: (keyed: Keyed) => Effect.Effect<{ readonly index: number; readonly status: KeyStatus }, NotDone>
  readonly administer: (order: Administer) => Effect.Effect<AdministerResult, Failure>
}

export const make = (options: {
  readonly nodeId: NodeId
  readonly here: OrdersHere
  readonly forwarding: Forwarding<Order, OrderAnswer>
  readonly attempts: Attempts.Attempts
  readonly draining: Draining
  readonly keys: KeyHistory<NotDone, UnknownOutcome>
  /** Why this node makes no attempts any more. */
  readonly refused: () => NotDone | undefined
  /** Gives a key to a command without one. */
  readonly giveKey: (command: Command) => Command
  /** Records spans of traced commands on their way, if somebody does. */
  readonly tracing: Tracing | undefined
  /** Whether a leader takes orders that name a span. */
  readonly knowsTraces: (leader: NodeId) => boolean
  /** The version of a model that this node's code has. */
  readonly versionOf: (model: string) => number | undefined
  /** Whether this node enforces no rules. Then it need not say which orders are those of the application itself. */
  readonly isOpen: boolean
}): Orders => {
  const { attempts, draining, forwarding, giveKey, here, keys, nodeId } = options

  const forward = (leader: NodeId, order: Order, timeoutMs: number, settle: Settle<OrderAnswer, Failure>): Forget => {
    const forwarded: Begin<OrderAnswer, Failure> = (settle) => forwarding.forward(leader, order, timeoutMs, settle)
    return endingBy(draining.attempted.begin(), forwarded, settle)
  }

  /**
   * A leader of a release without rules refuses an order that names its caller, or says that rules hold. So a node where
   * none hold does not name the application itself, and one where they do always says so.
   */
  const forwarded = (command: Command): Command => {
    const stamped = withVersions(command, options.versionOf)
    if (!options.isOpen) return { ...stamped, isGuarded: true }
    if (stamped.caller?._tag !== "System") return stamped
    const { caller: _, ...others } = stamped
    return others as Command
  }

  const decideAt = (
    leader: NodeId,
    asked: Command,
    timeoutMs: number,
    asker: Settle<Answered<CommandResult>, Failure>
  ): Forget => {
    if (leader === nodeId) return here.decide(asked, timeoutMs, asker)
    if (asked.trace === undefined) return forwardDecide(leader, asked, timeoutMs, asker)
    const { command, settle } = ForwardSpan.begin(
      { command: asked, trace: asked.trace, settle: asker },
      { tracing: options.tracing, nodeId, leader, isKnown: options.knowsTraces }
    )
    return forwardDecide(leader, command, timeoutMs, settle)
  }

  const forwardDecide = (
    leader: NodeId,
    command: Command,
    timeoutMs: number,
    settle: Settle<Answered<CommandResult>, Failure>
  ): Forget =>
    forward(leader, { _tag: "Decide", command: forwarded(command) }, timeoutMs, (exit) => {
      if (Exit.isFailure(exit)) settle(Exit.failCause(exit.cause))
      else settle(isAnswered(exit.value) ? Exit.succeed(exit.value) : another)
    })

  const attemptOf =
    (order: Order): Attempt<OrderAnswer> =>
    (leader, timeoutMs, settle) =>
      leader === nodeId ? here.carryOut(order, timeoutMs, settle) : forward(leader, order, timeoutMs, settle)

  /** Counts a request of this node's client while it is under way, and sends it to one leader after another. */
  const give = <A>(request: Attempts.Request<A, Failure>, settle: Settle<A, Failure>): Forget => {
    if (draining.isDraining()) return settleNow(settle, Exit.fail(options.refused() ?? notBegun))
    return endingBy(draining.given.begin(), (settle) => attempts.untilAnswered<A, Failure>(request, settle), settle)
  }

  /** A copy of a command under its client's key is done once, so an attempt may follow one of unknown outcome. */
  const decideKeyed = (command: Command, keyed: Keyed, settle: Settle<Answered<CommandResult>, Failure>): Forget => {
    const request: Attempts.Request<Answered<CommandResult>, Failure> = {
      isRepeatable: true,
      holdsForCopies: ({ result }) => holdsForCopies(result),
      attempt: (leader, timeoutMs, settle) =>
        decideAt(leader, command, timeoutMs, (exit) => settle(underKey(exit, keyedOf(command)?.key)))
    }
    return endingBy(keys.begin(keyed), (settle) => give(request, settle), settle)
  }

  /**
   * Gives each attempt a new key, as recent as this node's knowledge of the log. The client does not know this key. If a
   * second copy used it, the leader could refuse that copy, and the answer would be "not done" before the first copy is
   * done.
   */
  const decideUnkeyed = (asked: Command, settle: Settle<Answered<CommandResult>, Failure>): Forget =>
    give(
      {
        isRepeatable: false,
        attempt: (leader, timeoutMs, settle) => {
          const command = giveKey(asked)
          return decideAt(leader, command, timeoutMs, (exit) =>
            settle(isKeyTooOld(exit) ? keyTooOld : underKey(exit, keyedOf(command)?.key))
          )
        }
      },
      settle
    )

  return {
    submit: (command, settle) =>
      command.key === undefined
        ? decideUnkeyed(command, settle)
        : decideKeyed(command, { ...command, key: command.key }, settle),
    inquire: (keyed) =>
      Effect.suspend(() => {
        const isUnderWay = keys.isUnderWay(keyed)
        return outcomeOf<OrderAnswer, Failure>((settle) =>
          give({ isRepeatable: true, attempt: attemptOf({ _tag: "Inquire", keyed }) }, settle)
        ).pipe(
          Effect.flatMap((answer) => answeredAs("Inquired", answer)),
          // An inquiry changes nothing, so an unknown outcome of it is the same as not asking.
          Effect.catchTag("UnknownOutcome", ({ message }) =>
            Effect.fail(new NotDone({ reason: "no-quorum", message }))
          ),
          Effect.map(({ index, status }) => ({
            index,
            status: status._tag === "Absent" && isUnderWay ? pending : status
          }))
        )
      }),
    administer: (order) =>
      outcomeOf<OrderAnswer, Failure>((settle) =>
        give({ isRepeatable: false, attempt: attemptOf(order) }, settle)
      ).pipe(
        Effect.flatMap((answer) => answeredAs("Administered", answer)),
        Effect.map(({ administered }) => administered)
      )
  }
}

const pending: KeyStatus = { _tag: "Pending" }

/** The answer to another order says nothing about this one. */
const another = Exit.fail(new UnknownOutcome({ message: "The leader answered another order" }))

/** The answer, if it has this tag. */
const answeredAs = <Tag extends Tagged["_tag"]>(
  tag: Tag,
  answer: OrderAnswer
): Exit.Exit<Extract<Tagged, { readonly _tag: Tag }>, UnknownOutcome> =>
  (answer as Partial<Tagged> | null)?._tag === tag
    ? Exit.succeed(answer as Extract<Tagged, { readonly _tag: Tag }>)
    : another

/** The answers that name their order. A result is known by its shape. */
type Tagged = Extract<OrderAnswer, { readonly _tag: string }>

/** Whether a peer's answer is a result: its JSON is unchecked. The changes in it are read by those who show them. */
const isAnswered = (told: OrderAnswer): told is Answered<CommandResult> => {
  const { index, result } = (told ?? {}) as Partial<Answered<Partial<CommandResult> | null>>
  if (typeof index !== "number") return false
  return result?._tag === "Accepted"
    ? Array.isArray(result.answer?.operations)
    : result?._tag === "Rejected" && typeof result.rejection?._tag === "string"
}

/** A node that has just started knows little of the log, and the leader may take its key for an expired one. */
const isKeyTooOld = (exit: Exit.Exit<Answered<CommandResult>, Failure>): boolean =>
  Exit.isSuccess(exit) && exit.value.result._tag === "Rejected" && exit.value.result.rejection._tag === "KeysExhausted"

const keyTooOld = Exit.fail(
  new NotDone({ reason: "no-quorum", message: "Cannot write: this node knows too little of the log yet" })
)

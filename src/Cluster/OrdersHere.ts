/**
 * Carries out orders on this node, for its own clients and for peers: decides commands while it leads, tells the status
 * of keys, and changes the cluster. Orders.ts sends orders to the leader.
 */
import { Effect, Exit } from "effect"
import type { KeyHistory } from "../Local/KeyHistory.ts"
import { type Command, type Keyed, keyedOf } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import type { Administered, Administration } from "../Raft/node/Administration.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import * as MembershipRequests from "../Raft/node/MembershipRequests.ts"
import { NotDone, draining as notBegun, type UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { RaftNode } from "../Raft/node/RaftNode.ts"
import {
  type Begin,
  beginEffect,
  endingBy,
  type Forget,
  type Fork,
  outcomeOf,
  type Settle,
  settleNow
} from "../Raft/node/Settle.ts"
import type { Draining } from "./Drain.ts"
import * as LeadershipHandoff from "./LeadershipHandoff.ts"
import type {
  ActivateWithout,
  AdministerResult,
  Announce,
  AnnounceErased,
  EraseRecord,
  MemberErased,
  Order,
  OrderAnswer
} from "./Order.ts"

/** Consensus on this node, over commands of the machine. */
export type Node = RaftNode<Command, CommandResult | Logged>

type Failure = NotDone | UnknownOutcome
type Administers = Extract<OrderAnswer, { readonly _tag: "Administered" }>

export interface OrdersHere {
  /** Decides a command, if this node leads. */
  readonly decide: (command: Command, timeoutMs: number, settle: Settle<Answered<CommandResult>, Failure>) => Forget
  readonly carryOut: (order: Order, timeoutMs: number, settle: Settle<OrderAnswer, Failure>) => Forget
}

/** This node does not run yet, or runs no more. */
export const notRunning = Exit.fail(
  new NotDone({ reason: "no-quorum", message: "This node is not a running member yet" })
)

const leaving = Exit.fail(notBegun)

const heard = Exit.succeed({ _tag: "Announced" } as const)

export const make = (options: {
  readonly node: () => Node | undefined
  readonly draining: Draining
  readonly keys: KeyHistory<NotDone, UnknownOutcome>
  readonly fork: Fork
  /** Another member tells which versions of models its code has. */
  readonly announced: (announce: Announce) => void
  readonly activateWithout: (order: ActivateWithout) => Effect.Effect<AdministerResult>
  /** Another member tells through which erasure it has carried out all. */
  readonly announcedErased: (announce: AnnounceErased) => void
  readonly erasedMembers: () => ReadonlyArray<MemberErased>
  /** The index of the entry that erased a record, once it is applied. */
  readonly erasedAt: (model: string, id: string) => number
}): OrdersHere => {
  const { draining, fork, keys, node } = options
  const handOn = LeadershipHandoff.make({ fork })

  /** The node, unless it begins no order now. {@link refusal} says why. */
  const beginning = (): Node | undefined => (draining.isDraining() ? undefined : node())
  const refusal = () => (draining.isDraining() ? leaving : notRunning)

  const decide: OrdersHere["decide"] = (command, timeoutMs, settle) => {
    const running = beginning()
    if (running === undefined) return settleNow(settle, refusal())
    const keyed = keyedOf(command)
    const endKey = keyed === undefined ? undefined : keys.begin(keyed)
    const endAttempt = draining.attempted.begin()
    const end = (): void => {
      endKey?.()
      endAttempt()
    }
    const decided: Begin<Answered<CommandResult>, Failure> = (settle) => {
      let forgetTold: Forget | undefined
      const forget = running.submit(command, timeoutMs, (exit) => {
        if (Exit.isFailure(exit)) settle(Exit.failCause(exit.cause))
        else forgetTold = keys.told(exit.value, settle)
      })
      return () => {
        forget()
        forgetTold?.()
      }
    }
    return endingBy(end, decided, (exit) => {
      if (Exit.isSuccess(exit)) handOn(running, exit.value.result)
      settle(exit)
    })
  }

  const inquire = (running: Node, keyed: Keyed, timeoutMs: number) =>
    Effect.flatMap(
      outcomeOf<number, NotDone>((settle) => running.readIndex(timeoutMs, settle)),
      (index) => Effect.map(keys.keyStatus(keyed), (status) => ({ _tag: "Inquired", index, status }) as const)
    )

  const administer = (running: Node, order: Administration, timeoutMs: number): Effect.Effect<Administers, Failure> => {
    const noted = <Result extends Parameters<typeof administered>[0]>(done: Effect.Effect<Result, Failure>) =>
      Effect.map(
        Effect.tap(done, (result) => MembershipRequests.note(order, result)),
        (result) => ({ _tag: "Administered", administered: administered(result) }) as const
      )
    return order._tag === "ChangeMembers"
      ? noted(running.changeMembers(order, timeoutMs))
      : noted(running.transferLeadership(order.to))
  }

  const erase = (running: Node, { id, model }: EraseRecord, timeoutMs: number) =>
    Effect.map(
      outcomeOf<Answered<CommandResult | Logged>, Failure>((settle) =>
        running.submit({ _tag: "Erase", model, id }, timeoutMs, settle)
      ),
      ({ result }): AdministerResult =>
        result._tag === "Rejected"
          ? { _tag: "NotErased", rejection: result.rejection }
          : { _tag: "Erased", index: options.erasedAt(model, id) }
    )

  const carryOut: OrdersHere["carryOut"] = (order, timeoutMs, settle) => {
    if (order._tag === "Decide") return decide(order.command, timeoutMs, settle)
    if (order._tag === "Announce") {
      options.announced(order)
      return settleNow(settle, heard)
    }
    if (order._tag === "AnnounceErased") {
      options.announcedErased(order)
      return settleNow(settle, heard)
    }
    const running = beginning()
    if (running === undefined) return settleNow(settle, refusal())
    const carriedOut = (): Effect.Effect<OrderAnswer, Failure> => {
      switch (order._tag) {
        case "Inquire":
          return inquire(running, order.keyed, timeoutMs)
        case "ActivateWithout":
          return Effect.map(options.activateWithout(order), (administered) => ({ _tag: "Administered", administered }))
        case "EraseRecord":
          return Effect.map(erase(running, order, timeoutMs), (administered) => ({
            _tag: "Administered",
            administered
          }))
        case "AskErased":
          return Effect.succeed({
            _tag: "Administered",
            administered: { _tag: "ErasedThrough", members: options.erasedMembers() }
          })
        default:
          return administer(running, order, timeoutMs)
      }
    }
    const effect = carriedOut()
    return endingBy(draining.attempted.begin(), (settle) => beginEffect(fork, effect, settle), settle)
  }

  return { decide, carryOut }
}

/** The result as a peer is told it: a hand-over that has begun is done. */
const administered = (
  result: { readonly _tag: "Done" | "Started" } | Extract<Administered, { readonly _tag: "Refused" }>
): Administered => (result._tag === "Refused" ? result : { _tag: "Done" })

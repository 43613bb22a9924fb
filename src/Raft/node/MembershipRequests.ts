/** Requests to change the cluster, at its leader: its members (§6), and its leader (diss. 3.10). */
import { Effect } from "effect"
import { invariant } from "../../Invariant.ts"
import * as Configurations from "../core/Configurations.ts"
import type { Input } from "../core/Input.ts"
import { type MembershipChange, needsForce } from "../core/MembershipChange.ts"
import type { NodeId } from "../core/Message.ts"
import type { MembershipResult, Output, TransferResult } from "../core/Output.ts"
import { termAt } from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"
import type { Administration } from "./Administration.ts"
import type { Condition } from "./Condition.ts"
import { NotDone, UnknownOutcome } from "./Outcome.ts"

/** The core, and the function that steps it. */
interface Shell {
  readonly core: Readonly<State>
  readonly run: (input: Input) => Output
}

/** A shell whose turns wake those who wait for the core. */
interface WaitingShell extends Shell {
  readonly until: Condition["until"]
}

/** The result of a change of the members. */
export type ChangeResult =
  | { readonly _tag: "Done" }
  | Extract<MembershipResult, { readonly _tag: "Refused" }>
  | { readonly _tag: "Refused"; readonly reason: "belowThreeVoters" | "otherConfiguration" }

/** A change that an operator asked for. `force` confirms fewer than three voters. */
export interface AskedChange {
  readonly change: MembershipChange
  readonly force?: true
  /** The index of the configuration that the operator saw. */
  readonly ifIndex?: number
}

/** Whether the configuration in force is committed, and no change is under way. */
const isSettled = (core: Readonly<State>): boolean => {
  const { configuration, index } = Configurations.latest(core.configurations)
  return index <= core.commitIndex && configuration.outgoing === undefined
}

/** The index of the configuration in force. It changes with every change of the members. */
export const configurationIndex = (core: Readonly<State>): number => Configurations.latest(core.configurations).index

/** Writes to the leader's log who changed the cluster, and how. */
export const note = ({ admitted, ...order }: Administration, done: { readonly _tag: string }): Effect.Effect<void> =>
  done._tag === "Refused"
    ? Effect.void
    : Effect.logInfo(`The cluster is changed, admitted by ${admitted}: ${JSON.stringify(order)}`)

/** Begins a change, and waits until the leader has left the joint configuration. */
export const changeMembers = (
  { core, isRefused, run, until }: WaitingShell & { readonly isRefused: () => boolean },
  { change, force, ifIndex }: AskedChange,
  timeoutMs: number
): Effect.Effect<ChangeResult, NotDone | UnknownOutcome> => {
  if (core.role._tag === "Leader" && ifIndex !== undefined && ifIndex !== configurationIndex(core)) {
    return Effect.succeed({ _tag: "Refused", reason: "otherConfiguration" })
  }
  if (core.role._tag === "Leader" && force !== true && needsForce(core.configuration, change)) {
    return Effect.succeed({ _tag: "Refused", reason: "belowThreeVoters" })
  }
  const { membership } = run({ _tag: "ChangeMembership", requestId: 0, change })
  invariant(membership !== undefined, "a change of membership was given no result")
  if (membership._tag === "Refused") {
    const message = "Cannot change the members: this node does not lead"
    return membership.reason === "notLeader"
      ? Effect.fail(new NotDone({ reason: "no-quorum", message }))
      : Effect.succeed(membership)
  }
  const { currentTerm } = core
  const unknown = new UnknownOutcome({ message: "The change of the members may be done or undone" })
  const result = Effect.suspend(
    (): Effect.Effect<ChangeResult, UnknownOutcome> =>
      isSettled(core) && termAt(core.log, membership.index) === currentTerm
        ? Effect.succeed({ _tag: "Done" })
        : Effect.fail(unknown)
  )
  return until(() => core.currentTerm !== currentTerm || isSettled(core) || isRefused()).pipe(
    Effect.andThen(result),
    Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(unknown) })
  )
}

/** Begins a hand-over. Another node leads a moment later, or this node continues after an election timeout. */
export const transferLeadership = ({ run }: Shell, to: NodeId | undefined): TransferResult => {
  const { transfer } = run({ _tag: "TransferLeadership", ...(to === undefined ? {} : { to }) })
  invariant(transfer !== undefined, "a transfer was given no result")
  return transfer
}

/** Call before the node stops: it campaigns no more, and hands leadership over. */
export const handOver = ({ core, run, until }: WaitingShell): Effect.Effect<void> => {
  run({ _tag: "ShutDown" })
  return until(() => core.role._tag !== "Leader" && core.held.length === 0)
}

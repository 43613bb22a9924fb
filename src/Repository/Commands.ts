/** Calls declared commands through this node, in encoded form. Client/near/Running.ts runs them typed. */
import { Context, Effect, Exit, Layer, type Schema } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { type Call, type Origin, sentBy } from "../Machine/Command.ts"
import type { Accepted } from "../Machine/CommandResult.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, flatMapOutcome, outcomeOf } from "../Raft/node/Settle.ts"
import type { Refused } from "./Changed.ts"
import { beginAt } from "./Submitting.ts"

/** The result of a call. */
export interface Called {
  /** The encoded success of the command. */
  readonly value: Schema.Json
  /** The index of the replicated log that the call reflects. */
  readonly logIndex: number
  /** An earlier request with the same idempotency key did the call: this copy changed nothing. */
  readonly isReplayed: boolean
}

/** Why a call was refused or not confirmed, beside the errors that its command declares. */
export type CallFailure = Refused | NotDone | UnknownOutcome

/** Runs declared commands through this node. The leader decides them. */
export class Commands extends Context.Service<
  Commands,
  {
    /** Sends an encoded call to the leader, without a fiber (Settle.ts). */
    readonly beginCall: (caller: Caller, call: Omit<Call, "_tag"> & Origin) => Begin<Called, CallFailure>
    /** {@link beginCall} as an Effect. */
    readonly call: (caller: Caller, call: Omit<Call, "_tag"> & Origin) => Effect.Effect<Called, CallFailure>
  }
>()("lithair/Repository/Commands") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode

  const beginCall: Commands["Service"]["beginCall"] = (caller, asked) =>
    flatMapOutcome(
      beginAt("replicated", { member, local }, sentBy(caller, { _tag: "Call", ...asked }, member.policy !== undefined)),
      (done) => Exit.succeed(calledOf(done))
    )
  const call: Commands["Service"]["call"] = (...asked) => outcomeOf(beginCall(...asked))

  return Commands.of({ beginCall, call })
})

const calledOf = ({ index, result }: Answered<Accepted>): Called => {
  const { value } = result.answer
  invariant(value !== undefined, "a call was answered without a value")
  return { value, logIndex: index, isReplayed: result.replayedIndex !== undefined }
}

/** Makes the service for the commands that the member has. */
export const layer: Layer.Layer<Commands, never, Member | LocalNode> = Layer.effect(Commands, make)

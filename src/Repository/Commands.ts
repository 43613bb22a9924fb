/** Calls declared commands through this node: in encoded form for HTTP, and typed for a node's own code. */
import { Context, Effect, Exit, Layer, Option, Result, Schema } from "effect"
import { Member } from "../Cluster/Member.ts"
import { type Any, decodeError } from "../Command/Declaration.ts"
import { invariant } from "../Invariant.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import type { Call, Origin } from "../Machine/Command.ts"
import { canonical } from "../Machine/Json.ts"
import { jsonEncoder } from "../Model/JsonEncoder.ts"
import { answerBy, type Problem, responds } from "../Problem.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Begin, flatMapOutcome, outcomeOf } from "../Raft/node/Settle.ts"
import { Refused } from "./Changed.ts"
import { ownOrigin } from "./OwnOrigin.ts"
import { beginReplicate, type Replicated } from "./Submitting.ts"

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
    readonly beginCall: (call: Omit<Call, "_tag"> & Origin) => Begin<Called, CallFailure>
    /** {@link beginCall} as an Effect. */
    readonly call: (call: Omit<Call, "_tag"> & Origin) => Effect.Effect<Called, CallFailure>
    /**
     * Runs a typed command. Fails with the errors that the command declares, with `Refused` if the machine rejects it,
     * with `NotDone`, or with `UnknownOutcome`. With a `key` it is done once, however often it is sent within a day.
     */
    readonly run: <C extends Any>(
      command: C,
      payload: C["payload"]["Type"],
      options?: { readonly key?: string }
    ) => Effect.Effect<C["success"]["Type"], C["errors"][number]["Type"] | CallFailure>
  }
>()("lithair/Repository/Commands") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode

  const beginCall: Commands["Service"]["beginCall"] = (asked) =>
    flatMapOutcome(beginReplicate({ member, local }, { _tag: "Call", ...asked }), (done) =>
      Exit.succeed(calledOf(done))
    )
  const call: Commands["Service"]["call"] = (asked) => outcomeOf(beginCall(asked))

  const run = Effect.fnUntraced(function* (command: Any, value: unknown, { key }: { readonly key?: string } = {}) {
    const payload = yield* Effect.fromResult(encodePayload(command, value))
    const origin = yield* ownOrigin(canonical([command.name, payload]), key)
    const called = yield* call({ name: command.name, payload, ...origin }).pipe(
      Effect.catchTag("Refused", (refused): Effect.Effect<never, unknown> => {
        const { rejection } = refused
        const declared =
          rejection._tag === "Declared"
            ? Option.map(
                decodeError(command.errors, rejection.error),
                answeredBy(refused.toProblem(key, { commands: [command] }))
              )
            : Option.none()
        return Effect.fail(Option.getOrElse(declared, () => refused))
      })
    )
    // The leader encoded it by this schema. An incompatible version of the schema is a defect.
    return yield* Effect.orDie(Schema.decodeUnknownEffect(Schema.toCodecJson(command.success))(called.value))
  })

  return Commands.of({ beginCall, call, run: run as unknown as Commands["Service"]["run"] })
})

const calledOf = ({ answer, isReplayed, logIndex }: Replicated): Called => {
  invariant(answer.value !== undefined, "a call was answered without a value")
  return { value: answer.value, logIndex, isReplayed }
}

/** Makes the service for the commands that the member has. */
export const layer: Layer.Layer<Commands, never, Member | LocalNode> = Layer.effect(Commands, make)

/** Refuses a payload that does not fit its schema, as the leader would. */
const encodePayload = ({ payload }: Any, value: unknown): Result.Result<Schema.Json, Refused> =>
  Result.mapError(
    jsonEncoder(payload)(value),
    (errors) => new Refused({ rejection: { _tag: "InvalidRequest", errors } })
  )

/** Has a handler of the application that fails with this error answer with its problem, as the command's own endpoint does. */
const answeredBy =
  (met: Problem) =>
  <A>(error: A): A => {
    if (typeof error === "object" && error !== null) {
      Object.defineProperty(error, responds, { value: () => answerBy(met), configurable: true })
    }
    return error
  }

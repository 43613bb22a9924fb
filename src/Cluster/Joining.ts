/**
 * How an empty node becomes a member of a running cluster: it asks any member until one takes it in, and that member has
 * the leader add it. Raft/peers has the connection on which both prove themselves before.
 */
import { Effect, Result, Schedule } from "effect"
import type { ConfigurationMember } from "../Raft/core/Configuration.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { parseAddress, parseId } from "../Raft/peers/Address.ts"
import type { Hello } from "../Raft/peers/Handshake.ts"
import { joinTimeoutMs } from "../Raft/peers/JoinLane.ts"
import type { JoinReply, NotJoined } from "../Raft/peers/JoinReply.ts"
import { Transport } from "../Raft/peers/Transport.ts"
import { type AdministerRefusal, describeRefusal } from "./AdministerRefusal.ts"
import { FormingRefused, type Join } from "./Forming.ts"
import type { Administer, AdministerResult } from "./Order.ts"

/** A cluster without a leader, or during another change, may take the node a moment later. */
const again = Schedule.spaced("500 millis")

/** Logs a repeated message again after so many attempts. */
const saidEveryCount = 10

const final = (message: string): NotJoined => ({ _tag: "NotJoined", isFinal: true, message })
const passing = (message: string): NotJoined => ({ _tag: "NotJoined", isFinal: false, message })

/** Asks the member at `address` until it takes the node in. Fails with one line on a final refusal. */
export const joinThrough =
  (address: string): Join<Transport> =>
  (self, clusterId) => {
    const attempt = Effect.gen(function* () {
      if (address === self.address) {
        return yield* Effect.fail(final("that is this node's own address: give the address of a member"))
      }
      const transport = yield* Transport
      const reply = yield* transport
        .join(address, clusterId)
        .pipe(Effect.mapError(({ message, refused }) => (refused ? final : passing)(message)))
      return reply._tag === "Joined" ? reply : yield* Effect.fail(reply)
    })

    let said: { readonly message: string; count: number } | undefined
    const say = ({ message }: NotJoined) =>
      Effect.suspend(() => {
        if (said?.message === message && said.count < saidEveryCount) {
          said.count += 1
          return Effect.void
        }
        said = { message, count: 1 }
        return Effect.logWarning(`Waiting to join through ${address}: ${message}`)
      })

    return attempt.pipe(
      // A member that hangs accepts the connection and does not answer.
      Effect.timeoutOrElse({
        duration: joinTimeoutMs,
        orElse: () => Effect.fail(passing(`it did not answer within ${joinTimeoutMs / 1000} s`))
      }),
      Effect.tapError((refusal) => (refusal.isFinal ? Effect.void : say(refusal))),
      Effect.retry({ schedule: again, while: ({ isFinal }) => !isFinal }),
      Effect.mapError(
        ({ message }) =>
          new FormingRefused({ reason: "JoinRefused", message: `Cannot join through ${address}: ${message}` })
      )
    )
  }

/** The part of a member that takes nodes in. */
export interface Taking {
  readonly clusterId: () => string | undefined
  /** The members as this node knows them; none before it runs. */
  readonly members: () => ReadonlyArray<ConfigurationMember>
  readonly administer: (order: Administer) => Effect.Effect<AdministerResult, NotDone | UnknownOutcome>
}

/** Has the leader add a node that has proved itself, and says what to answer. The node may ask again after a lost answer. */
export const takeIn = Effect.fnUntraced(function* (taking: Taking, hello: Hello): Effect.fn.Return<JoinReply> {
  const { address, instanceId, nodeId: id } = hello
  const named = Result.andThen(parseId(id), () => parseAddress(address))
  if (Result.isFailure(named)) return final(named.failure)
  const joined = (): JoinReply => {
    const clusterId = taking.clusterId()
    return clusterId === undefined
      ? passing("it belongs to no cluster yet")
      : { _tag: "Joined", clusterId, members: taking.members() }
  }
  const known = (): ConfigurationMember | undefined => taking.members().find((each) => each.id === id)
  // Its data directory is what counts: a node that ended before it noted its cluster may come back at another address.
  if (known()?.instanceId === instanceId) return joined()
  const change = { _tag: "AddLearner", member: { id, address, instanceId }, autoPromote: true } as const
  return yield* taking.administer({ _tag: "ChangeMembers", admitted: "proof", change }).pipe(
    Effect.map((done) => {
      if (done._tag === "Done") return joined()
      if (done._tag !== "Refused") return passing("its leader did not add the node")
      const { reason } = done
      if (reason === "alreadyMember") return alreadyMember(known(), instanceId) ?? joined()
      return (lasting.includes(reason) ? final : passing)(describeRefusal(reason))
    }),
    Effect.catch((error) =>
      Effect.succeed((error._tag === "NotDone" && error.reason === "removed" ? final : passing)(error.message))
    )
  )
})

/**
 * The answer if the leader has a member of this id, and `known` is that member as this node knows it. Undefined if it is
 * the one that asks: the cluster took it in before, and its directory does not say so yet. This node may not have heard of
 * that member so far.
 */
const alreadyMember = (known: ConfigurationMember | undefined, instanceId: string): JoinReply | undefined => {
  if (known?.instanceId === instanceId) return undefined
  return (known === undefined ? passing : final)(describeRefusal("alreadyMember"))
}

/** Refusals that last, however long the node waits. */
const lasting: ReadonlyArray<AdministerRefusal> = ["tooManyMembers"]

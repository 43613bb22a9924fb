/** What the routes of the administration and of joining have in common: a change carried out, and the membership after it. */
import { Effect, Schema } from "effect"
import type { Member } from "../Cluster/Member.ts"
import { MemberName } from "../Cluster/OrderSchema.ts"
import { notFound, type Problem, problem } from "../Problem.ts"
import { membersOf } from "../Raft/core/Configuration.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import type { Administration, Admitted } from "../Raft/node/Administration.ts"
import { MemberAddress } from "../Raft/peers/Address.ts"
import { problemOfFailure } from "./Outcomes.ts"

/** A node that is to become a member: where its peers reach it, and which data directory its vote will live in. */
export const newMemberFields = {
  id: MemberName.annotate({ description: "The node's id, by default its address" }),
  address: MemberAddress.annotate({ description: "Where its peers reach it, `host:port`; IPv6 in brackets" }),
  instanceId: MemberName.annotate({ description: "Of its data directory, as its `node.json` says it" })
}

/** The cluster, and whom to connect to. */
export const Membership = Schema.Struct({
  clusterId: Schema.String,
  members: Schema.Array(
    Schema.Struct({ id: Schema.String, address: Schema.String, instanceId: Schema.String, voter: Schema.Boolean })
  )
}).annotate({ identifier: "lithair.Membership" })

/** The members as this node knows them; none before it has formed a cluster. */
export const membershipOf = (member: Member["Service"]): typeof Membership.Type => {
  const core = member.node()?.core
  return {
    clusterId: member.clusterId() ?? "",
    members: (core === undefined ? [] : membersStatus(core)).map(({ address, id, instanceId, isVoter }) => {
      return { id, address, instanceId, voter: isVoter }
    })
  }
}

/** Has the leader carry out a change of the cluster, or says why it was refused. */
export const administer = (member: Member["Service"], order: Administration): Effect.Effect<void, Problem> =>
  member.administer(order).pipe(
    Effect.mapError((error) => problemOfFailure(error, undefined)),
    Effect.flatMap((done) => {
      if (done._tag === "Done") return Effect.void
      const { reason } = done
      return reason === "unknownMember"
        ? Effect.fail(notFound("There is no such member"))
        : Effect.fail(problem("membership-refused", refusals[reason], { reason, definite: true }))
    })
  )

/** Adds a learner. A node that asks again, because it did not hear the answer, is a member already. */
export const addMember = Effect.fnUntraced(function* (
  member: Member["Service"],
  asked: {
    readonly added: { readonly id: string; readonly address: string; readonly instanceId: string }
    readonly autoPromote: boolean
    readonly admitted: Admitted
  }
) {
  const { added, admitted, autoPromote } = asked
  const core = member.node()?.core
  const known = core === undefined ? undefined : membersOf(core.configuration).find(({ id }) => id === added.id)
  if (known?.instanceId === added.instanceId && known.address === added.address) return
  const change = { _tag: "AddLearner", member: added, autoPromote } as const
  yield* administer(member, { _tag: "ChangeMembers", admitted, change })
})

type Refusal = Exclude<
  Extract<Effect.Success<ReturnType<Member["Service"]["administer"]>>, { _tag: "Refused" }>["reason"],
  "unknownMember"
>

/** What each refusal says to the person who asked. */
const refusals: Record<Refusal, string> = {
  notLeader: "This node leads no longer",
  notReady: "The leader is new and not ready yet: try again",
  changing: "Another change is under way: one at a time",
  transferring: "Leadership is being handed over: try again",
  alreadyMember: "A member of this id is there already",
  unchanged: "It is so already",
  noVoters: "A cluster needs at least one voter",
  belowThreeVoters: "Fewer than three voters survive the loss of none: add ?force=true if that is meant",
  tooManyMembers: "The cluster has as many members as it can have",
  notCaughtUp: "It has not caught up with the log: it may vote once it has",
  unreachable: "The voters to be are no quorum that the leader hears",
  notAnotherVoter: "That is no other voter",
  noTarget: "No other voter answers"
}

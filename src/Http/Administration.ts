/** Carries out changes of the cluster for the administration's routes and the join route, and shows the membership. */
import { Effect, Schema } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { Administer } from "../Cluster/Order.ts"
import { MemberName } from "../Cluster/readOrder.ts"
import { notFound, type Problem, problem } from "../Problem.ts"
import { membersOf } from "../Raft/core/Configuration.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import type { Admitted } from "../Raft/node/Administration.ts"
import { configurationIndex } from "../Raft/node/MembershipRequests.ts"
import { MemberAddress } from "../Raft/peers/Address.ts"
import { problemOfFailure } from "./Outcomes.ts"

/** The fields of a new member: its id, its address, and the data directory that will keep its vote. */
export const newMemberFields = {
  id: MemberName.annotate({ description: "The node's id, by default its address" }),
  address: MemberAddress.annotate({
    description: "The address at which its peers reach it, `host:port`; IPv6 in brackets"
  }),
  instanceId: MemberName.annotate({ description: "The instance id in the `node.json` of its data directory" })
}

/** The cluster's id and its members. */
export const Membership = Schema.Struct({
  clusterId: Schema.String,
  members: Schema.Array(
    Schema.Struct({ id: Schema.String, address: Schema.String, instanceId: Schema.String, voter: Schema.Boolean })
  )
}).annotate({ identifier: "lithair.Membership" })

/** The members as this node knows them. There are none before it has formed a cluster. */
export const membershipOf = (member: Member["Service"]): typeof Membership.Type => {
  const core = member.node()?.core
  return {
    clusterId: member.clusterId() ?? "",
    members: (core === undefined ? [] : membersStatus(core)).map(({ address, id, instanceId, isVoter }) => {
      return { id, address, instanceId, voter: isVoter }
    })
  }
}

/** Sends a change of the cluster to the leader. Fails with the reason if the leader refuses it. */
export const administer = (member: Member["Service"], order: Administer): Effect.Effect<void, Problem> =>
  member.administer(order).pipe(
    Effect.mapError((error) => problemOfFailure(error, undefined)),
    Effect.flatMap((done) => {
      if (done._tag !== "Refused") return Effect.void
      const { reason } = done
      if (reason === "otherConfiguration") return Effect.fail(otherConfiguration(member))
      return reason === "unknownMember"
        ? Effect.fail(notFound("There is no such member"))
        : Effect.fail(problem("membership-refused", refusals[reason], { reason, definite: true }))
    })
  )

/** The entity tag of the membership as this node knows it. */
export const membershipTag = (member: Member["Service"]): string => `"${indexOf(member) ?? 0}"`

const indexOf = (member: Member["Service"]): number | undefined => {
  const core = member.node()?.core
  return core === undefined ? undefined : configurationIndex(core)
}

const otherConfiguration = (member: Member["Service"]): Problem =>
  problem("version-conflict", "The members have changed since: read them again", {
    currentVersion: indexOf(member) ?? null
  })

/** Adds a learner. Succeeds if the same node is a member already: it asks again when an answer was lost. */
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
  "unknownMember" | "otherConfiguration"
>

/** The detail of each refusal, for the person who asked. */
const refusals: Record<Refusal, string> = {
  notLeader: "The node is no longer the leader: try again",
  notReady: "The new leader is not ready yet: try again",
  changing: "Another change is under way: try again when it is done",
  transferring: "The leader is handing leadership over: try again",
  alreadyMember: "There is a member with this id already",
  unchanged: "The cluster is in this state already",
  noVoters: "A cluster needs at least one voter",
  belowThreeVoters: "With fewer than three voters the cluster stops when it loses one: add ?force=true if you mean it",
  tooManyMembers: "The cluster is full: remove a member first",
  notCaughtUp: "The node has not caught up with the log: promote it once it has",
  unreachable: "The leader does not hear a quorum of the new voters: check that they run",
  notAnotherVoter: "The target must be another voter",
  nothingPending: "The leader's code has no newer version of a model, and knows no newer format, than is active",
  noTarget: "No other voter answers: check that they run"
}

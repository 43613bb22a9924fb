/** Carries out changes of the cluster for the administration's routes, and shows the membership. */
import { Effect, Schema } from "effect"
import { describeRefusal } from "../Cluster/AdministerRefusal.ts"
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
      const line = describeRefusal(reason)
      if (reason === "otherConfiguration") return Effect.fail(otherConfiguration(member, line))
      return reason === "unknownMember"
        ? Effect.fail(notFound(line))
        : Effect.fail(problem("membership-refused", line, { reason, definite: true }))
    })
  )

/** The entity tag of the membership as this node knows it. */
export const membershipTag = (member: Member["Service"]): string => `"${indexOf(member) ?? 0}"`

const indexOf = (member: Member["Service"]): number | undefined => {
  const core = member.node()?.core
  return core === undefined ? undefined : configurationIndex(core)
}

const otherConfiguration = (member: Member["Service"], line: string): Problem =>
  problem("version-conflict", line, { currentVersion: indexOf(member) ?? null })

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

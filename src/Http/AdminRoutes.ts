/** Changing a running cluster over HTTP: its members, and who leads it. Any node takes it and hands it to the leader. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { errorsOf } from "../Model/Descriptor.ts"
import { membersOf } from "../Raft/Configuration.ts"
import type { Member } from "../Raft/Member.ts"
import type { Administration } from "../Raft/Order.ts"
import { MemberName } from "../Raft/OrderSchema.ts"
import { membersStatus } from "../Raft/Status.ts"
import { jsonMediaTypes, readJson } from "./Body.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { invalidRequest, notFound, type Problem, problem } from "./Problem.ts"

/** A node that is to become a member: where its peers reach it, and which data directory its vote will live in. */
export const NewMember = Schema.Struct({
  id: MemberName,
  address: MemberName,
  instanceId: MemberName,
  /** Whether it is to vote once it has caught up; otherwise it stays a learner until it is promoted. */
  promote: Schema.optionalKey(Schema.Boolean)
})
const NewVoters = Schema.Struct({ voters: Schema.NonEmptyArray(Schema.NonEmptyString) })
const NewLeader = Schema.Struct({ to: Schema.optionalKey(Schema.NonEmptyString) })

/** What is answered to whoever joins: the cluster, and whom to connect to. */
export const Membership = Schema.Struct({
  clusterId: Schema.String,
  members: Schema.Array(
    Schema.Struct({ id: Schema.String, address: Schema.String, instanceId: Schema.String, voter: Schema.Boolean })
  )
})

const membership = (member: Member["Service"]): typeof Membership.Type => {
  const core = member.node()?.core
  return {
    clusterId: member.clusterId() ?? "",
    members: (core === undefined ? [] : membersStatus(core)).map(({ address, id, instanceId, isVoter }) => {
      return { id, address, instanceId, voter: isVoter }
    })
  }
}

const read = <A>(schema: Schema.Codec<A, unknown>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    return yield* Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })(data).pipe(
      Effect.mapError(({ issue }) => invalidRequest("The body does not fit", errorsOf(issue)))
    )
  })

/** The routes of a cluster's administration. */
export const adminRoutes = (member: Member["Service"]) => {
  const administer = (order: Administration): Effect.Effect<void, Problem> =>
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
  const answered = Effect.sync(() => HttpServerResponse.jsonUnsafe(membership(member)))

  const add = Effect.gen(function* () {
    const { promote, ...added } = yield* read(NewMember)
    const core = member.node()?.core
    const known = core === undefined ? undefined : membersOf(core.configuration).find(({ id }) => id === added.id)
    // A node that asks again, because it did not hear the answer, is a member already.
    if (known?.instanceId === added.instanceId && known.address === added.address) return yield* answered
    const change = { _tag: "AddLearner", member: added, autoPromote: promote !== false } as const
    yield* administer({ _tag: "ChangeMembers", change })
    return yield* answered
  })
  const replace = Effect.gen(function* () {
    const { voters } = yield* read(NewVoters)
    yield* administer({ _tag: "ChangeMembers", change: { _tag: "ReplaceVoters", voters } })
    return yield* answered
  })
  const named = Effect.map(HttpRouter.params, (params) => params.member ?? "")
  const remove = Effect.gen(function* () {
    yield* administer({ _tag: "ChangeMembers", change: { _tag: "Remove", id: yield* named } })
    return yield* answered
  })
  const promote = Effect.gen(function* () {
    const [, id] = /^(.+):promote$/.exec(yield* named) ?? []
    if (id === undefined) return yield* notFound("There is nothing at this path: a member is promoted at …:promote")
    yield* administer({ _tag: "ChangeMembers", change: { _tag: "Promote", id } })
    return yield* answered
  })
  const transfer = Effect.gen(function* () {
    const { to } = yield* read(NewLeader)
    yield* administer({ _tag: "TransferLeadership", ...(to === undefined ? {} : { to }) })
    return yield* answered
  })

  return [
    HttpRouter.route("GET", "/_admin/api/members", answered),
    HttpRouter.route("POST", "/_admin/api/members", add),
    HttpRouter.route("PUT", "/_admin/api/members", replace),
    HttpRouter.route("DELETE", "/_admin/api/members/:member", remove),
    HttpRouter.route("POST", "/_admin/api/members/:member", promote),
    HttpRouter.route("POST", "/_admin/api/leader:transfer", transfer)
  ] as const
}

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
  tooManyMembers: "The cluster has as many members as it can have",
  notCaughtUp: "It has not caught up with the log: it may vote once it has",
  unreachable: "The voters to be are no quorum that the leader hears",
  notAnotherVoter: "That is no other voter",
  noTarget: "No other voter answers"
}

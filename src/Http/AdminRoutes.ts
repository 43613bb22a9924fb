/**
 * Routes that change a running cluster: its members and its leader. Any node takes a change from admitted callers
 * (AdminAccess.ts) and passes it to the leader.
 */
import { Effect, Result, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { errorsOf } from "../Model/FieldError.ts"
import { invalidRequest, notFound, type ProblemError } from "../Problem.ts"
import { admit } from "./AdminAccess.ts"
import { addMember, administer, membershipOf, membershipTag, newMemberFields } from "./Administration.ts"
import { jsonMediaTypes, readJson } from "./Body.ts"
import { invalidQuery, only, parseParams, refuseOthers } from "./Params.ts"

/** The body that adds a member. */
export const NewMember = Schema.Struct({
  ...newMemberFields,
  promote: Schema.optionalKey(Schema.Boolean).annotateKey({
    description: "true: the node votes once it has caught up. false: it stays a learner until it is promoted"
  })
}).annotate({ identifier: "lithair.NewMember" })
export const NewVoters = Schema.Struct({ voters: Schema.NonEmptyArray(Schema.NonEmptyString) }).annotate({
  identifier: "lithair.NewVoters"
})
export const NewLeader = Schema.Struct({ to: Schema.optionalKey(Schema.NonEmptyString) }).annotate({
  identifier: "lithair.NewLeader"
})

export const Without = Schema.Struct({
  without: Schema.NonEmptyArray(Schema.NonEmptyString).annotateKey({
    description:
      "The members that new versions do not wait for. One that has the former code refuses what it cannot read from then on"
  })
}).annotate({ identifier: "lithair.Without" })

/** The path of the members. */
export const membersPath = "/_admin/api/members"
export const memberPath = "/_admin/api/members/:member"
export const transferPath = "/_admin/api/leader:transfer"
export const activatePath = "/_admin/api/models:activate"

/** Reads a body by its schema. Fails with a 400 that lists each wrong place. */
export const readBody = <A>(schema: Schema.Codec<A, unknown>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    return yield* Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })(data).pipe(
      Effect.mapError(({ issue }) =>
        invalidRequest("The body does not fit the schema: see the errors", errorsOf(issue))
      )
    )
  })

/** Reads the parameters of a request. Only these are allowed, each with the value `true`. */
const flags = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, names))
  const errors: Array<ProblemError> = []
  const given = names.filter((name) => {
    const value = only(params, name, errors)
    if (value !== undefined && value !== "true") errors.push({ path: name, message: "takes true" })
    return value === "true"
  })
  return yield* Effect.fromResult(
    errors.length === 0 ? Result.succeed(new Set(given)) : Result.fail(invalidQuery("The query is invalid", errors))
  )
})
/** Refuses all parameters. */
export const noFlags = flags()
const forced = Effect.map(flags("force"), (given) => (given.has("force") ? { force: true as const } : {}))

/** Reads `If-Match`: the entity tag of the membership that the caller saw. */
const ifIndex = Effect.gen(function* () {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const header = headers["if-match"]
  if (header === undefined) return {}
  const [, index] = /^"(\d{1,15})"$/.exec(header) ?? []
  if (index === undefined) {
    const errors = [{ path: "If-Match", message: "Expected the ETag of the members" }]
    return yield* invalidRequest("If-Match is not an ETag of the members", errors)
  }
  return { ifIndex: Number(index) }
})

/** Makes the administration's routes. `secret` is the cluster's, if it has one. */
export const adminRoutes = (member: Member["Service"], secret: string | undefined) => {
  const answered = Effect.sync(() =>
    HttpServerResponse.jsonUnsafe(membershipOf(member), { headers: { etag: membershipTag(member) } })
  )
  const admitted = admit(secret)
  const change = Effect.fnUntraced(function* (order: Parameters<Member["Service"]["administer"]>[0]) {
    yield* administer(member, order)
    return yield* answered
  })

  const add = Effect.gen(function* () {
    const admittedAs = yield* admitted
    yield* noFlags
    const { promote, ...added } = yield* readBody(NewMember)
    yield* addMember(member, { added, admitted: admittedAs, autoPromote: promote !== false })
    return yield* answered
  })
  const replace = Effect.gen(function* () {
    const admittedAs = yield* admitted
    const force = yield* forced
    const condition = yield* ifIndex
    const { voters } = yield* readBody(NewVoters)
    const asked = { _tag: "ReplaceVoters", voters } as const
    return yield* change({ _tag: "ChangeMembers", admitted: admittedAs, change: asked, ...force, ...condition })
  })
  const named = Effect.map(HttpRouter.params, (params) => params.member ?? "")
  const remove = Effect.gen(function* () {
    const admittedAs = yield* admitted
    const force = yield* forced
    const condition = yield* ifIndex
    const asked = { _tag: "Remove", id: yield* named } as const
    return yield* change({ _tag: "ChangeMembers", admitted: admittedAs, change: asked, ...force, ...condition })
  })
  const promote = Effect.gen(function* () {
    const admittedAs = yield* admitted
    yield* noFlags
    const [, id] = /^(.+):promote$/.exec(yield* named) ?? []
    if (id === undefined)
      return yield* notFound("There is nothing at this path: to promote a member, POST to …:promote")
    return yield* change({ _tag: "ChangeMembers", admitted: admittedAs, change: { _tag: "Promote", id } })
  })
  const transfer = Effect.gen(function* () {
    const admittedAs = yield* admitted
    yield* noFlags
    const { to } = yield* readBody(NewLeader)
    return yield* change({ _tag: "TransferLeadership", admitted: admittedAs, ...(to === undefined ? {} : { to }) })
  })
  const activate = Effect.gen(function* () {
    const admittedAs = yield* admitted
    yield* noFlags
    const { without } = yield* readBody(Without)
    return yield* change({ _tag: "ActivateWithout", admitted: admittedAs, without })
  })

  return [
    HttpRouter.route("GET", membersPath, Effect.andThen(noFlags, answered)),
    HttpRouter.route("POST", membersPath, add),
    HttpRouter.route("PUT", membersPath, replace),
    HttpRouter.route("DELETE", memberPath, remove),
    HttpRouter.route("POST", memberPath, promote),
    HttpRouter.route("POST", transferPath, transfer),
    HttpRouter.route("POST", activatePath, activate)
  ] as const
}
